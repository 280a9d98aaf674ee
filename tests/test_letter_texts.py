"""What letters say, read back from their PDFs."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.letter_samples import LETTER, RECEIVER, SEVERAL, text
from workers.services.letters import Line, Party
from workers.services.words import in_words


def test_a_letter_says_who_what_and_until_when():
    said = text(LETTER)
    for words in (
        "Boğaziçi Makine A.Ş. VKN: 4540536920 · Vergi Dairesi: Kadıköy Moda Cad. No: 112 Kadıköy / İstanbul",
        "Tel: 0216 555 12 34 · E-posta: muhasebe@bogazici.com.tr",
        "CARİ HESAP MUTABAKAT MEKTUBU",
        "No Tarih Konu MUT-000123 05.01.2026 31.12.2025 tarihli cari hesap bakiyesi mutabakatı",
        "Sayın Çınar Gıda Ltd. Şti. VKN: 1122334455 · Vergi Dairesi: Bornova · Cari Kodu: 120.01.0001",
        "cari hesabınız 31.12.2025 tarihi itibarıyla 1.234,56 TL BORÇ bakiyesi vermektedir.",
        "Mutabık olup olmadığınızı bildirmenizi rica ederiz.",
        "Cari Kodu Para Birimi Borç/Alacak Tutar 120.01.0001 TL Borç 1.234,56",
        "YalnızBinİkiYüzOtuzDörtTürkLirasıElliAltıKuruş",
        "Tablodaki borç/alacak yönü şirketimizin, yanıttaki B (borç) / A (alacak) yönü sizin kayıtlarınıza göredir.",
        "T.T.K.'nın 94. maddesi gereğince",
        "Hata ve unutma müstesnadır.",
        "Mutabık değilseniz hesap ekstrenizi gönderiniz.",
        "Yanıt adresi Son yanıt tarihi muhasebe@bogazici.com.tr 31.01.2026",
        "Mutabıkız",
        "Mutabık değiliz – bizdeki bakiye:",
        "Açıklama:",
        "Firma kaşe / yetkili imza Firma kaşe / yetkili imza Boğaziçi Makine A.Ş. Çınar Gıda Ltd. Şti.",
    ):
        assert words in said


def test_every_turkish_letter_is_drawn():
    letters = "çÇğĞıİöÖşŞüÜâÂîÎûÛ₺€–“”’"
    said = text(replace(LETTER, receiver=replace(RECEIVER, name=letters, address=letters)))
    assert said.count(letters) == 3
    assert "■" not in said


def test_balances_in_several_currencies_are_never_netted():
    said = text(replace(LETTER, lines=SEVERAL))
    assert "her para birimi ayrı olmak üzere, aşağıdaki bakiyeleri vermektedir" in said
    for row in ("TL Borç 1.284.734,56", "USD Alacak 15.230,00", "EUR – 0,00"):
        assert f"120.01.0001 {row}" in said
    for line in SEVERAL:
        assert in_words(line.amount, line.currency) in said


def test_balances_in_one_currency_are_not_called_one_for_each():
    lines = (Line("TRY", Decimal("1234.56"), "borc"), Line("TRY", Decimal(200), "alacak"))

    said = text(replace(LETTER, lines=lines))
    zeros = text(replace(LETTER, lines=tuple(replace(line, amount=Decimal(0)) for line in lines)))

    assert "31.12.2025 tarihi itibarıyla aşağıdaki bakiyeleri vermektedir." in said
    assert all(f"120.01.0001 {row}" in said for row in ("TL Borç 1.234,56", "TL Alacak 200,00"))
    assert "cari hesabınızın 31.12.2025 tarihi itibarıyla bakiyesi bulunmamaktadır." in zeros
    assert "para birimi" not in (said + zeros).replace("Para Birimi", "")


def test_a_zero_balance_has_no_side():
    said = text(replace(LETTER, lines=(Line("TRY", Decimal("0.004"), "borc"),)))
    assert "bakiyesi bulunmamaktadır (0,00 TL)." in said
    assert "BORÇ" not in said
    assert "YalnızSıfırTürkLirası" in said


def test_several_zero_balances_are_none_and_one_that_is_not_is_stated_beside_them():
    zeros = (Line("TRY", Decimal("0.00"), "borc"), Line("USD", Decimal("0.004"), "alacak"))

    said = text(replace(LETTER, lines=zeros))
    mixed = text(replace(LETTER, lines=(*zeros, Line("EUR", Decimal(5), "borc"))))

    assert "cari hesabınızın 31.12.2025 tarihi itibarıyla, aşağıdaki para birimlerinin hiçbirinde bakiyesi" in said
    assert "bakiyesi bulunmamaktadır. Mutabık olup olmadığınızı" in said
    assert "bakiyeleri vermektedir" not in said
    assert ("bakiyeleri vermektedir" in mixed, "bulunmamaktadır" in mixed) == (True, False)


def test_a_balance_with_three_decimals_keeps_them():
    assert "1.234,567 KWD ALACAK" in text(replace(LETTER, lines=(Line("KWD", Decimal("1234.567"), "alacak"),)))


def test_a_negative_letter_asks_only_those_who_disagree():
    said = text(replace(LETTER, variant="negatif"))
    assert "Yalnız mutabık değilseniz bildirmenizi rica ederiz; mutabıksanız yanıt gerekmez." in said
    assert "Mutabık olup olmadığınızı" not in said


def test_a_letter_without_balances_prints_no_figure_and_claims_no_agreement():
    said = text(replace(LETTER, lines=SEVERAL, variant="bakiyesiz"))
    assert "bakiyesini aşağıdaki tabloya yazarak bildirmenizi rica ederiz" in said
    assert "• B (borç) / A (alacak) yönü sizin kayıtlarınıza göredir." in said
    assert "120.01.0001 TL B A 120.01.0001 USD B A 120.01.0001 EUR B A" in said
    assert not any(shown in said for shown in ("1.284.734,56", "15.230", "0,00", "Lirası", "YalnızOn", "94. maddesi"))


def test_a_person_is_named_by_identity_number():
    said = text(replace(LETTER, receiver=Party("Ayşegül Işıldak", tckn="10000000146")))
    assert "Sayın Ayşegül Işıldak T.C. Kimlik No: 10000000146 · Cari Kodu" in said


def test_a_sender_of_whom_only_the_name_is_known_can_write():
    said = text(replace(LETTER, sender=Party("Öz"), reply_by=None))
    assert "None" not in said
    assert "Yanıt adresi" not in said


def test_markup_in_names_is_plain_text():
    assert "Sayın <b>A&B</b> &amp; \\(x) % Ltd." in text(
        replace(LETTER, receiver=Party("<b>A&B</b> &amp; \\(x) % Ltd."))
    )


def test_what_the_faces_lack_is_marked_and_what_controls_is_dropped():
    said = text(replace(LETTER, receiver=Party("日本\x00 👍\u202e A\u0306\tŞ\nT")))
    assert "Sayın \ufffd\ufffd \ufffd Ă Ş T VKN" not in said
    assert "Sayın \ufffd\ufffd \ufffd Ă Ş T" in said


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        (
            "{gonderen}, {tarih} bakiyesi için {son_tarih} gününü bekler.",
            "Boğaziçi Makine A.Ş., 31.12.2025 bakiyesi için 31.01.2026 gününü bekler.",
        ),
        ("{bilinmeyen} {} {0} {gonderen.vkn} %s {", "{bilinmeyen} {} {0} {gonderen.vkn} %s {"),
        ("Birinci.\n\nİkinci.", "• Birinci. • İkinci."),
    ],
)
def test_the_legal_text_is_a_template_of_the_company(template, printed):
    said = text(replace(LETTER, legal_text=template))
    assert printed in said
    assert "94. maddesi" not in said


def test_an_empty_legal_text_prints_none():
    assert "94. maddesi" not in text(replace(LETTER, legal_text=""))
