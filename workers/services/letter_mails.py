"""What is written beside a mutabakat letter: the mail that carries it and the SMS that announces it."""

from workers.services.letters import Letter
from workers.services.turkish import format_date


def subject(letter: Letter) -> str:
    return f"Cari hesap mutabakat mektubu – {format_date(letter.as_of)} – {letter.sender.name}"[:300]


def body(letter: Letter) -> str:
    """The text of the mail: what is attached, what is asked for, and who asks."""
    lines = [
        f"Sayın {letter.receiver.name},",
        "",
        f"{format_date(letter.as_of)} tarihli cari hesap mutabakat mektubumuz ektedir ({letter.number}).",
        "Mutabık olup olmadığınızı bu e-postayı yanıtlayarak bildirmenizi rica ederiz.",
    ]
    if letter.reply_by:
        lines.append(f"Yanıtınızı {format_date(letter.reply_by)} tarihine kadar bekliyoruz.")
    contacts = [text for text in (letter.sender.phone, letter.sender.email) if text]
    return "\n".join([*lines, "", "Saygılarımızla,", letter.sender.name, *contacts, ""])


def announcement(letter: Letter) -> str:
    """The SMS: short, without an amount, and nothing that advertises."""
    name = letter.sender.name[:60]
    return (
        f"{name}: {format_date(letter.as_of)} tarihli mutabakat mektubunuz {letter.number} hazır. Yanıtınızı bekleriz."
    )
