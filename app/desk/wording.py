"""Sentences that are written elsewhere (by pydantic, by the kinds) and that the desk shows in the reader's language.

They stand here for the catalogue alone; what is missing here is shown as it is. {} is a number or a quoted word.
"""

from app.desk.gate import lazy

REASONS = (
    lazy("Field required"),
    lazy("Extra inputs are not permitted"),
    lazy("Input should be a valid integer"),
    lazy("Input should be a valid number"),
    lazy("Input should be a valid string"),
    lazy("Input should be a valid boolean"),
    lazy("Input should be a valid array"),
    lazy("Input should be an object"),
    lazy("Input should be {}"),
    lazy("Input should be {} or {}"),
    lazy("Input should be {}, {} or {}"),
    lazy("Input should be greater than or equal to {}"),
    lazy("Input should be greater than {}"),
    lazy("Input should be less than or equal to {}"),
    lazy("Input should be less than {}"),
    lazy("String should have at least {} character"),
    lazy("String should have at least {} characters"),
    lazy("String should have at most {} characters"),
    lazy("List should have at least {} item after validation, not {}"),
    lazy("List should have at most {} items after validation, not {}"),
    lazy("Input should be a valid date in the format YYYY-MM-DD, input is too short"),
    lazy("Input should be a valid date in the format YYYY-MM-DD"),
    lazy("Input should be a valid date in the format YYYY-MM-DD, invalid character in year"),
    lazy("name at least one"),
    lazy("name at least one of email, sms"),
    lazy("more than {} items; split the request"),
    lazy("must have {} to {} characters"),
    lazy("must not hold control characters"),
    lazy("must not hold NUL"),
    lazy("must be a file"),
    lazy("must have a plain name of at most {} characters, no path"),
    lazy("is empty"),
    lazy("is no column"),
    lazy("operators must say for which company"),
    lazy("names no letters"),
)
KINDS = (  # without a translation it is the kind's own docstring
    lazy("about:generate_mutabakat_pdf"),
    lazy("about:generate_bulk_pdfs"),
    lazy("about:send_mutabakat"),
    lazy("about:send_email"),
    lazy("about:send_bulk_emails"),
    lazy("about:send_sms"),
    lazy("about:send_bulk_sms"),
    lazy("about:process_excel_upload"),
    lazy("about:export_sheet"),
    lazy("about:steer_tasks"),
    lazy("about:cleanup_old_logs"),
    lazy("about:tidy_up"),
    lazy("about:check_password_expiry"),
    lazy("about:send_daily_digest"),
    lazy("about:alert_operators"),
    lazy("about:look_up_messages"),
    lazy("about:fetch_delivery_reports"),
    lazy("about:deliver_webhook"),
    lazy("about:tell_ends"),
    lazy("about:send_notice"),
)
PARAMETERS = (
    *(lazy("Mutabakat Id"), lazy("Mutabakat Ids"), lazy("Format"), lazy("Channels"), lazy("To Email")),
    *(lazy("Subject"), lazy("Body"), lazy("Html"), lazy("Attachments"), lazy("Emails"), lazy("Phone")),
    *(lazy("Message"), lazy("Messages"), lazy("Plain"), lazy("File Path"), lazy("Sheet Name"), lazy("Target")),
    *(lazy("Dry Run"), lazy("Mode"), lazy("Mapping"), lazy("As Of"), lazy("Language"), lazy("What")),
    *(lazy("Task Id"), lazy("Days"), lazy("Within Days"), lazy("Text")),
    *(lazy("State"), lazy("Task Ids"), lazy("Action"), lazy("Telling Id")),
)
CHOICES = (
    *(lazy("zip"), lazy("pdf"), lazy("email"), lazy("sms"), lazy("users"), lazy("accounts"), lazy("mutabakat")),
    *(lazy("items"), lazy("skip-bad"), lazy("all-or-nothing"), lazy("tr"), lazy("en")),
)
