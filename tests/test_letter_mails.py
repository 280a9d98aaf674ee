"""What stands beside a letter: the mail that carries it and the SMS that announces it."""

from dataclasses import replace

import pytest

from tests.letter_samples import LETTER
from workers.services import letter_mails
from workers.services.letters import VARIANTS


@pytest.mark.parametrize(
    ("variant", "asked", "awaited", "short"),
    [
        (
            "pozitif",
            "\nMutabık olup olmadığınızı bu e-postayı yanıtlayarak bildirmenizi rica ederiz.\n",
            "\nYanıtınızı 31.01.2026 tarihine kadar bekliyoruz.\n",
            "hazır. Yanıtınızı bekleriz.",
        ),
        (
            "negatif",
            "\nYalnız mutabık değilseniz bu e-postayı yanıtlayarak bildirmenizi rica ederiz; "
            "mutabıksanız yanıt gerekmez.\n",
            "\nMutabık değilseniz yanıtınızı 31.01.2026 tarihine kadar bekliyoruz.\n",
            "hazır. Mutabıksanız yanıt gerekmez.",
        ),
        (
            "bakiyesiz",
            "\nKayıtlarınızda görünen bakiyeyi bu e-postayı yanıtlayarak bildirmenizi rica ederiz.\n",
            "\nYanıtınızı 31.01.2026 tarihine kadar bekliyoruz.\n",
            "hazır. Bakiyenizi bildiriniz.",
        ),
    ],
)
def test_the_mail_and_the_sms_ask_for_what_their_letter_asks_for(
    variant: str, asked: str, awaited: str, short: str
) -> None:
    letter = replace(LETTER, variant=variant)

    mail, sms = letter_mails.body(letter), letter_mails.announcement(letter)

    assert asked + awaited.removeprefix("\n") in mail
    assert sms.endswith(short)
    assert ("Mutabık olup olmadığınızı" in mail, "bekleriz" in sms) == (variant == "pozitif",) * 2


def test_a_mail_of_a_letter_without_a_last_day_awaits_nothing_by_a_day() -> None:
    for variant in VARIANTS:
        assert "tarihine kadar" not in letter_mails.body(replace(LETTER, variant=variant, reply_by=None))
