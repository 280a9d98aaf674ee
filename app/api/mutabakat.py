"""Mutabakat: reconciliation letters, their records and what is made of them."""

from datetime import date
from typing import Annotated, Literal

from flask import Response, jsonify
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from app.api import documented, letters
from app.api.documented import enqueues, problems
from app.api.enqueueing import accept, whose
from app.auth import caller, record_id
from app.fields import Amount, BalanceDay, Currency, Day, Email, Input, OneLine, Phone, Tckn, Vkn

api = documented.blueprint("mutabakat", "Mutabakat: reconciliation letters", "/api/mutabakat")


class LetterPath(BaseModel):
    mutabakat_id: str = Field(description="What POST /api/mutabakat gave as id")


class AccountIn(Input):
    """The account, known by its code in your books; fields that are left out keep what they were."""

    code: Annotated[str, Field(min_length=1, max_length=60, json_schema_extra={"example": "120.01.001"}), OneLine]
    title: Annotated[
        str, Field(min_length=1, max_length=200, json_schema_extra={"example": "Çınar Ltd. Şti."}), OneLine
    ]
    vkn: Vkn | None = Field(None, description="Tax number of a company; accounts abroad have none")
    tckn: Tckn | None = Field(None, description="Identity number of a person, instead of a vkn")
    tax_office: Annotated[str, Field(max_length=100), OneLine] | None = None
    email: Email | None = None
    phone: Phone | None = None

    @field_validator("tckn")
    @classmethod
    def _one_number(cls, tckn: str | None, info: ValidationInfo) -> str | None:
        if tckn and info.data.get("vkn"):
            raise ValueError("an account has either a vkn or a tckn, not both")
        return tckn


class LineIn(Input):
    currency: Currency = Field(description="ISO 4217; TL is taken as TRY")
    amount: Amount = Field(description="Decimal text: 0 or more, at most 2 decimals")
    side: Literal["borc", "alacak"] = Field(description="borc: the account owes you; alacak: you owe it")


class LetterIn(Input):
    """A new letter: what an account owes (borc) or is owed (alacak) in your books at a day."""

    account: AccountIn
    as_of: BalanceDay
    lines: list[LineIn] = Field(min_length=1, max_length=20, description="As they are to stand on the letter")
    reply_by: Annotated[date, Day] | None = Field(None, description="Not before as_of")
    variant: Literal["pozitif", "negatif", "bakiyesiz"] = Field(
        "pozitif",
        description="Asks for an answer in any case, only if it differs, or leaves the balance to them to write",
    )
    company_id: int | None = Field(None, description="For operators: whose letter it is (members: their own)")

    @field_validator("reply_by")
    @classmethod
    def _in_order(cls, reply_by: date | None, info: ValidationInfo) -> date | None:
        if reply_by and reply_by < info.data.get("as_of", reply_by):
            raise ValueError("must not be before as_of")
        return reply_by


class Made(BaseModel):
    id: int


class AccountOut(BaseModel):
    code: str
    title: str
    vkn: str | None
    tckn: str | None
    tax_office: str | None
    email: str | None
    phone: str | None


class LineOut(BaseModel):
    currency: str
    amount: str
    side: str


class LetterOut(BaseModel):
    """A letter as it was recorded; later changes of the account don't touch it."""

    id: int
    company_id: int
    account: AccountOut
    as_of: str
    reply_by: str | None
    variant: str
    state: str
    lines: list[LineOut]
    created_at: str


@api.post("", responses={201: Made, **problems(403, 404)})
def create_letter(body: LetterIn) -> tuple[Response, int]:
    """Record a letter; always a new one, its account is found by code or made."""
    letter_id = letters.record(whose(body.company_id), body.model_dump(exclude_unset=True))
    answer = jsonify(id=letter_id)
    answer.headers["Location"] = f"/api/mutabakat/{letter_id}"
    return answer, 201


@api.get("/<mutabakat_id>", responses={200: LetterOut, **problems(404)})
def show_letter(path: LetterPath) -> Response:
    """Show a letter."""
    company_id = None if caller().is_operator else caller().company_id
    return jsonify(letters.view(record_id(path.mutabakat_id), company_id))


@api.post("/generate-pdf-async", **enqueues("generate_mutabakat_pdf"))
def generate_pdf() -> tuple[Response, int]:
    """Make the PDF of a letter."""
    return accept("generate_mutabakat_pdf")


@api.post("/generate-bulk-pdfs-async", **enqueues("generate_bulk_pdfs"))
def generate_bulk_pdfs() -> tuple[Response, int]:
    """Make the PDFs of many letters, as a zip or as one PDF."""
    return accept("generate_bulk_pdfs")


@api.post("/send-async", **enqueues("send_mutabakat"))
def send_letters() -> tuple[Response, int]:
    """Send letters: made as PDF, mailed as attachment, announced by SMS."""
    return accept("send_mutabakat")
