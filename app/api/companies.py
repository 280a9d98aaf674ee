"""Companies: what stands at the head and the foot of their letters, how they send, and how much."""

from typing import Annotated, Any, Literal

from flask import Response, jsonify
from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from app import notified
from app.api import documented
from app.api.documented import problems
from app.api.excel import Heading, check_columns
from app.api.status import iso
from app.auth import record_id, require_operator, sees
from app.fields import Email, Input, Lines, OneLine, Phone
from workers import db, messages
from workers.engine import control, limits
from workers.errors import BadSettings, InvalidInput, NotFound
from workers.models import Company
from workers.services import mail_servers, sms_gateways
from workers.services.columns import MAPPINGS, Target

Secret = Annotated[str, Field(min_length=1, max_length=200), OneLine]
TOLD = ("notice_emails", "webhook")
OPTIONS = ("sms_daily_cap", "sms_per_number", "mail_daily_cap", "k", "password_max_age_days", MAPPINGS)
SHOWN = ("id", "name", "vkn", "tax_office", "address", "phone", "email", "legal_text")

api = documented.blueprint("companies", "Companies: the senders of letters", "/api/companies")


class CompanyPath(BaseModel):
    company_id: str = Field(description="The number that `flask companies create` printed")


class CompanyView(BaseModel):
    id: int
    name: str
    vkn: str
    tax_office: str | None
    address: str | None
    phone: str | None
    email: str | None
    legal_text: str | None
    sms_daily_cap: int | None
    sms_per_number: str | None
    mail_daily_cap: int | None
    k: int | None
    password_max_age_days: int | None
    excel_mappings: dict[str, dict[str, str]] | None
    sms_provider: str | None
    sms_paused: str | None
    mail_paused: str | None
    notice_emails: list[str]
    webhook_host: str | None
    webhook_paused: str | None
    created_at: str


class SmsGateway(Input):
    """The company's own account at an SMS gateway. Its credentials are kept sealed and never shown again."""

    provider: Literal["netgsm", "iletimerkezi", "verimor", "twilio", "sandbox"]
    usercode: Secret | None = Field(None, description="netgsm")
    password: Secret | None = Field(None, description="netgsm, verimor")
    header: Secret | None = Field(None, description="netgsm")
    key: Secret | None = Field(None, description="iletimerkezi")
    hash: Secret | None = Field(None, description="iletimerkezi")
    sender: Secret | None = Field(None, description="iletimerkezi")
    username: Secret | None = Field(None, description="verimor")
    source: Secret | None = Field(None, description="verimor")
    account_sid: Secret | None = Field(None, description="twilio")
    auth_token: Secret | None = Field(None, description="twilio")
    sender_number: Secret | None = Field(None, alias="from", description="twilio")

    @model_validator(mode="after")
    def _whole(self) -> "SmsGateway":
        given = self.credentials()
        missing = [name for name in sms_gateways.KINDS[self.provider].options if name not in given]
        if missing:
            raise ValueError(f"{self.provider} also needs {', '.join(missing)}")
        return self

    def credentials(self) -> dict[str, str]:
        return self.model_dump(exclude={"provider"}, exclude_none=True, by_alias=True)


class MailGateway(Input):
    """The company's own mail server, and the address that it writes from if that is its own too."""

    url: Annotated[str, Field(max_length=500, description="smtp://user:password@host:587?tls=starttls"), OneLine]
    mail_from: Email | None = Field(None, description="Null: the service's MAIL_FROM")

    @field_validator("url")
    @classmethod
    def _readable(cls, url: str) -> str:
        try:
            mail_servers.read_url(url)
        except BadSettings as error:
            raise ValueError(error.fields["reason"]) from None
        return url


class Webhook(Input):
    """Where the ends of the company's tasks are posted to (standardwebhooks.com); the secret is never shown again."""

    url: Annotated[str, Field(min_length=1, max_length=500, description="https://…"), OneLine]
    secret: Annotated[str, Field(max_length=200, description="whsec_ and 24 to 64 bytes as base64"), OneLine]

    @model_validator(mode="after")
    def _usable(self) -> "Webhook":
        try:
            notified.check_webhook(self.url, self.secret)
        except InvalidInput as error:
            raise ValueError(error.problems[0]["message"]) from None
        return self


class CompanyChange(Input):
    """What is given is changed, null empties; letters made before keep what they say."""

    name: Annotated[str, Field(min_length=1, max_length=200), OneLine] = Field(default_factory=str)
    tax_office: Annotated[str, Field(max_length=100), OneLine] | None = None
    address: Annotated[str, Field(max_length=500), Lines] | None = None
    phone: Phone | None = None
    email: Email | None = None
    legal_text: Annotated[str, Field(max_length=5000), Lines] | None = None
    sms_gateway: SmsGateway | None = Field(None, description="Its own account; null: the service's")
    mail_gateway: MailGateway | None = Field(None, description="Its own mail server; null: the service's")
    resume: list[Literal["sms", "email"]] = Field([], description="Channels that rest since a gateway refused them")
    notice_emails: list[Email] = Field(
        [], max_length=notified.ADDRESSES_AT_MOST, description="Who is mailed when tasks end"
    )
    webhook: Webhook | None = Field(None, description="Null: none")
    sms_daily_cap: Annotated[int, Field(ge=0, le=limits.MOST)] | None = Field(
        None, description="SMS a day; null: SMS_DAILY_CAP"
    )
    sms_per_number: Annotated[str, AfterValidator(limits.sensible)] | None = Field(
        None, description="Such as 3/10minutes"
    )
    mail_daily_cap: Annotated[int, Field(ge=0, le=limits.MOST)] | None = Field(
        None, description="Mails a day; null: no limit"
    )
    k: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Bulks (and 16 times as many single tasks) that may be queued or running per queue; null: 1"
    )
    password_max_age_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    excel_mappings: dict[Target, dict[str, Heading]] | None = Field(
        None, description="By import, which heading of the company's sheets is which column; null forgets them"
    )


@api.get("/<company_id>", responses={200: CompanyView, **problems(404)})
def show_company(path: CompanyPath) -> Response:
    """Show a company; members see their own."""
    company_id = _visible(path.company_id)
    return _shown(company_id)


@api.patch("/<company_id>", responses={200: CompanyView, **problems(403, 404)})
def change_company(path: CompanyPath, body: CompanyChange) -> Response:
    """Change a company (operators)."""
    company_id = _visible(path.company_id)
    require_operator()
    change(company_id, body)
    return _shown(company_id)


def change(company_id: int, body: CompanyChange) -> None:
    """Change what is given; raises NotFound."""
    given = body.model_dump(exclude_unset=True, exclude={"sms_gateway", "mail_gateway", "resume", *TOLD})
    options = {name: given.pop(name) for name in OPTIONS if name in given}
    for target, mapping in (options.get(MAPPINGS) or {}).items():
        check_columns(target, mapping, f"{MAPPINGS}.{target}")
    with db.writing() as session:
        company = session.get(Company, company_id, with_for_update=True)
        if company is None:
            raise NotFound()
        for name, value in given.items():
            setattr(company, name, value)
        kept = {**company.options, **options}
        company.options = {name: value for name, value in kept.items() if value is not None}
    _mend(company_id, body)
    _tell(company_id, body)
    if "k" in options:
        limits.set_share(str(company_id), options["k"])


def _mend(company_id: int, body: CompanyChange) -> None:
    """Take new gateways; what waits for a channel that is mended goes on at once."""
    mended = set(body.resume)
    if "sms_gateway" in body.model_fields_set:
        own = body.sms_gateway
        messages.set_way(company_id, "sms", *((own.provider, own.credentials()) if own else (None, None)))
        mended.add("sms")
    if "mail_gateway" in body.model_fields_set:
        server = body.mail_gateway
        messages.set_way(
            company_id, "email", *(("smtp", server.model_dump(exclude_none=True)) if server else (None, None))
        )
        mended.add("email")
    for channel in mended:
        messages.resume(company_id, channel)
    if mended:
        control.hurry(str(company_id), ("sms", "email"))


def _tell(company_id: int, body: CompanyChange) -> None:
    """Take whom the company wants told of the ends of its tasks."""
    if "notice_emails" in body.model_fields_set:
        notified.set_mails(company_id, list(body.notice_emails))
    if "webhook" in body.model_fields_set:
        notified.set_webhook(company_id, *((body.webhook.url, body.webhook.secret) if body.webhook else (None,)))


def _visible(text: str) -> int:
    company_id = record_id(text)
    if not sees(company_id):
        raise NotFound()
    return company_id


def _shown(company_id: int) -> Response:
    return jsonify(view(company_id))


def view(company_id: int) -> dict[str, Any]:
    """A company as JSON, without its credentials; raises NotFound."""
    with db.reading() as session:
        company = session.get(Company, company_id)
    if company is None:
        raise NotFound()
    ways = {channel: messages.way(company_id, channel) for channel in ("sms", "email")}
    shown = {name: getattr(company, name) for name in SHOWN} | {name: company.options.get(name) for name in OPTIONS}
    own = {"sms_provider": ways["sms"].provider, "sms_paused": ways["sms"].paused, "mail_paused": ways["email"].paused}
    told = notified.shown(company_id)
    own |= {"notice_emails": told["emails"], **{name: told[name] for name in ("webhook_host", "webhook_paused")}}
    return shown | own | {"created_at": iso(company.created_at)}
