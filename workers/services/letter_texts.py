"""What a mutabakat letter says, in Turkish, by its variant and its balances."""

import re
from typing import TYPE_CHECKING

from workers.services.turkish import format_date, format_number, rounded, upper
from workers.services.words import decimals

if TYPE_CHECKING:
    from workers.services.letters import Letter, Line, Party

TITLE = "CARİ HESAP MUTABAKAT MEKTUBU"
TTK_94 = (
    "Bu mektubu aldığınız tarihten itibaren bir ay içinde itirazınızı bildirmediğiniz takdirde "
    "T.T.K.'nın 94. maddesi gereğince bakiyede mutabık sayılacağınızı hatırlatırız."
)
SIDE_NAMES = {"borc": "Borç", "alacak": "Alacak"}
NBSP = "\xa0"


def currency_name(currency: str) -> str:
    return "TL" if currency == "TRY" else currency


def amount_text(line: "Line") -> str:
    return format_number(line.amount, decimals(line.currency))


def is_zero(line: "Line") -> bool:
    return not rounded(line.amount, decimals(line.currency))


def side_name(line: "Line") -> str:
    return "–" if is_zero(line) else SIDE_NAMES[line.side]


def subject(letter: "Letter") -> str:
    return f"{format_date(letter.as_of)} tarihli cari hesap bakiyesi mutabakatı"


def identity(party: "Party") -> list[str]:
    """The official numbers of a party, each with its label."""
    return [
        f"{label}: {value}"
        for label, value in (
            ("VKN", party.vkn),
            ("T.C. Kimlik No", party.tckn),
            ("Vergi Dairesi", party.tax_office),
        )
        if value
    ]


def contacts(party: "Party") -> list[str]:
    return [f"{label}: {value}" for label, value in (("Tel", party.phone), ("E-posta", party.email)) if value]


def opening(letter: "Letter") -> str:
    """The sentence that the letter is about, and what it asks for."""
    day = format_date(letter.as_of)
    if letter.variant == "bakiyesiz":
        return (
            f"Şirketimizle olan cari hesabınızın {day} tarihi itibarıyla kayıtlarınızda görünen bakiyesini "
            "aşağıdaki tabloya yazarak bildirmenizi rica ederiz."
        )
    return f"{_statement(letter, day)} {_request(letter.variant)}"


def _statement(letter: "Letter", day: str) -> str:
    if len(letter.lines) > 1:
        apart = len({line.currency for line in letter.lines}) == len(letter.lines)
        if all(map(is_zero, letter.lines)):
            where = ", aşağıdaki para birimlerinin hiçbirinde" if apart else ""
            return f"Şirketimiz nezdindeki cari hesabınızın {day} tarihi itibarıyla{where} bakiyesi bulunmamaktadır."
        how = ", her para birimi ayrı olmak üzere," if apart else ""
        return f"Şirketimiz nezdindeki cari hesabınız {day} tarihi itibarıyla{how} aşağıdaki bakiyeleri vermektedir."
    line = letter.lines[0]
    money = amount_text(line) + NBSP + currency_name(line.currency)
    if is_zero(line):
        return f"Şirketimiz nezdindeki cari hesabınızın {day} tarihi itibarıyla bakiyesi bulunmamaktadır ({money})."
    side = upper(SIDE_NAMES[line.side])
    return f"Şirketimiz nezdindeki cari hesabınız {day} tarihi itibarıyla {money} {side} bakiyesi vermektedir."


def _request(variant: str) -> str:
    if variant == "negatif":
        return "Yalnız mutabık değilseniz bildirmenizi rica ederiz; mutabıksanız yanıt gerekmez."
    return "Mutabık olup olmadığınızı bildirmenizi rica ederiz."


def notes(letter: "Letter") -> list[str]:
    """The small print. A letter without a balance claims no agreement by silence unless the company's own text does."""
    blank = letter.variant == "bakiyesiz"
    sides = "B (borç) / A (alacak) yönü sizin kayıtlarınıza göredir."
    if not blank:
        sides = "Tablodaki borç/alacak yönü şirketimizin, yanıttaki " + sides
    default = [] if blank else [TTK_94]
    statement = "Yanıtınıza hesap ekstrenizi ekleyiniz." if blank else "Mutabık değilseniz hesap ekstrenizi gönderiniz."
    return [
        sides,
        *(default if letter.legal_text is None else _legal(letter)),
        "Hata ve unutma müstesnadır.",
        statement,
    ]


def _legal(letter: "Letter") -> list[str]:
    values = {
        "tarih": format_date(letter.as_of),
        "son_tarih": format_date(letter.reply_by) if letter.reply_by else "…/…/……",
        "gonderen": letter.sender.name,
    }
    text = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), letter.legal_text or "")
    return [line for line in text.splitlines() if line.strip()]


def reply_address(letter: "Letter") -> str:
    """Where the answer goes: the sender's e-mail, else what is known of where to find it."""
    return letter.sender.email or letter.sender.address or letter.sender.phone or ""
