"""Names that stand elsewhere (of kinds, their parameters and choices), marked here for the catalogue.

What is missing here is shown as it is.
"""

from workers.wording import lazy

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
    *(lazy("pending"), lazy("sending")),
)
