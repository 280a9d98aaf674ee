"""The columns of each import: their headings in templates and exports, what else people call them, what they hold."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text", "code", "money", "date", "side", "currency", "tax_number", "email", "phone", "language", "role"
]  # fmt: skip
Target = Literal["users", "accounts", "mutabakat"]
MAPPINGS = "excel_mappings"  # which of a company's options says what its own headings mean
NUMERALS = ("code", "tax_number", "phone")  # kinds that look like numbers and are none: 0012, 120.10


@dataclass(frozen=True)
class Column:
    """One column. `kind` is what a cell of it holds (workers/services/sheets); `about` stands in the template."""

    name: str
    tr: str
    en: str
    kind: Kind = "text"
    required: bool = False
    aliases: tuple[str, ...] = ()
    example: str = ""
    about: tuple[str, str] = ("", "")

    def heading(self, language: str) -> str:
        return self.en if language == "en" else self.tr


CODE = Column(
    "code",
    "Cari Kodu",
    "Account Code",
    "code",
    required=True,
    aliases=(
        *("cari kod", "hesap kodu", "hesap kod", "bayi kodu", "müşteri kodu", "müşteri no", "firma kodu", "cari no"),
        *("hesap no", "kod", "kodu", "code"),
    ),
    example="120.01.0001",
    about=("Defterinizdeki hesap kodu; metin olarak kalır", "Its code in your books; kept as text"),
)
TITLE = Column(
    "title",
    "Unvan",
    "Title",
    required=True,
    aliases=(
        *("ünvan", "ünvanı", "cari adı", "cari ünvanı", "firma adı", "firma ünvanı", "ticari ünvan", "hesap adı"),
        *("müşteri adı", "cari isim", "cari ismi", "hesap ismi", "firma", "müşteri", "cari", "name", "account name"),
        *("company name", "adı", "ad"),
    ),
    example="Çınar Ticaret Ltd. Şti.",
    about=("En çok 200 karakter", "At most 200 characters"),
)
TAX_NUMBER = Column(
    "tax_number",
    "VKN/TCKN",
    "Tax Number",
    "tax_number",
    aliases=(
        *(
            "vergi no",
            "vkn",
            "tckn",
            "vergi kimlik no",
            "vergi numarası",
            "vergi kimlik numarası",
            "vergi/tc kimlik no",
        ),
        *(
            "tc kimlik no",
            "tc kimlik numarası",
            "tc no",
            "vergi/tc no",
            "vergi no/tckn",
            "vat number",
            "vat no",
            "tax no",
        ),
    ),
    example="4540536920",
    about=("VKN 10, TCKN 11 hane", "10 digits for a company, 11 for a person"),
)
TAX_OFFICE = Column(
    "tax_office",
    "Vergi Dairesi",
    "Tax Office",
    aliases=("vd", "v.d.", "v. dairesi", "vergi d.", "vergi dairesi adı"),
    example="Kadıköy",
)
EMAIL = Column(
    "email",
    "E-posta",
    "E-mail",
    "email",
    aliases=("e-posta adresi", "eposta", "mail", "mail adresi", "email adresi", "email address"),
    example="muhasebe@cinar.example",
)
PHONE = Column(
    "phone",
    "Telefon",
    "Phone",
    "phone",
    aliases=(
        *("gsm", "gsm no", "cep", "cep tel", "cep no", "cep telefonu", "tel", "tel no", "cari tel", "telefon no"),
        *("telefon numarası", "mobile", "phone number"),
    ),
    example="0532 000 00 00",
)
ACCOUNT = (CODE, TITLE, TAX_NUMBER, TAX_OFFICE, EMAIL, PHONE)
BALANCE = (
    Column(
        "as_of",
        "Mutabakat Tarihi",
        "Date",
        "date",
        aliases=("tarih", "bakiye tarihi", "dönem", "dönem sonu", "as of"),
        example="31.12.2025",
        about=(
            "Bakiyenin günü; sütun yoksa yüklerken “Bakiyelerin günü” alanını doldurun",
            "The day of the balance; without the column fill in “Day of the balances” at the upload",
        ),
    ),
    Column(
        "currency",
        "Para Birimi",
        "Currency",
        "currency",
        aliases=("döviz", "döviz cinsi", "döviz kodu", "döviz türü", "döviz tipi", "para cinsi", "pb", "para br"),
        example="TRY",
        about=("ISO 4217; boşsa TRY", "ISO 4217; TRY where empty"),
    ),
    Column(
        "borc",
        "Borç",
        "Debit",
        "money",
        aliases=(
            *("borç tutarı", "borç bakiye", "borç bakiyesi", "bakiye borç", "borçlar", "debt", "borçlu bakiye"),
            *("bakiye borçlu", "bakiye (b)", "(b) bakiye"),
        ),
    ),
    Column(
        "alacak",
        "Alacak",
        "Credit",
        "money",
        aliases=(
            *("alacak tutarı", "alacak bakiye", "alacak bakiyesi", "bakiye alacak", "alacaklar", "alacaklı bakiye"),
            *("bakiye alacaklı", "bakiye (a)", "(a) bakiye"),
        ),
    ),
    Column(
        "bakiye",
        "Bakiye",
        "Balance",
        "money",
        aliases=("bakiyesi", "tutar", "tutarı", "bakiye tutarı", "amount"),
        example="1.234,56",
        about=("Borç ve alacak yerine; eksi, alacak demektir", "Instead of debit and credit; minus means credit"),
    ),
    Column(
        "side",
        "B/A",
        "D/C",
        "side",
        aliases=(
            *(
                "borç/alacak",
                "bakiye durumu",
                "b-a",
                "durum",
                "bakiye türü",
                "bakiye tipi",
                "bakiye yönü",
                "bakiye şekli",
            ),
            *("bak. tipi", "bak. türü", "bak. yönü", "bak. durumu", "bak. şekli", "bak. b/a", "bky. tipi", "bky. türü"),
            *("bakiye tip", "bakiye tür", "bakiye yön", "bakiye cinsi", "b/a tipi", "b/a türü", "borç/alacak tipi"),
            *("b/a durumu", "borç/alacak durumu", "bakiye b/a", "bakiye borç/alacak", "side"),
        ),
        example="B",
        about=("Bakiyenin yönü: B borç, A alacak", "Of the balance: B debit, A credit"),
    ),
)
USER = (
    Column(
        **{**vars(EMAIL), "required": True, "aliases": (*EMAIL.aliases, "kullanıcı adı"), "example": "ayse@a.example"}
    ),
    Column(
        "name", "Ad Soyad", "Name", aliases=("adı soyadı", "ad", "isim", "kullanıcı", "full name"), example="Ayşe Ak"
    ),
    Column(
        "role",
        "Rol",
        "Role",
        "role",
        aliases=("yetki",),
        example="member",
        about=("Yalnız member; boşsa member", "Only member; member where empty"),
    ),
    PHONE,
    Column(
        "language", "Dil", "Language", "language", aliases=("lang",), example="tr", about=("tr ya da en", "tr or en")
    ),
)
COLUMNS: dict[str, tuple[Column, ...]] = {"users": USER, "accounts": ACCOUNT, "mutabakat": (*ACCOUNT, *BALANCE)}
