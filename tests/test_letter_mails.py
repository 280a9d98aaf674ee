"""What stands beside a letter: the mail that carries it and the SMS that announces it."""

from dataclasses import replace

import pytest

from tests.letter_samples import LETTER
from workers.services import letter_mails
from workers.services.letters import VARIANTS, Party
from workers.services.sms_text import measure


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


LONG = "Çınar Gıda Sanayi ve Ticaret Limited Şirketi Anonim Ortaklığı Merkez Şubesi"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Öz", "Öz: 31"),
        (LONG, "Çınar Gıda Sanayi ve Ticaret Limited Şirketi Anonim: 31"),
        ("Yıldırım İnşaat Taahhüt Dış Ticaret Limited Şirketi Ortakl & Oğlu", "Şirketi Ortakl: 31"),
        ("B" * 75, "B" * 60 + ": 31"),
    ],
)
def test_a_long_name_ends_with_a_word_before_the_colon(name: str, said: str) -> None:
    assert said in letter_mails.announcement(replace(LETTER, sender=Party(name)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_segment_holds_the_sms_of_a_long_name(variant: str) -> None:
    letter = replace(LETTER, variant=variant, sender=Party(LONG))

    assert measure(letter_mails.announcement(letter)).segments == 1
