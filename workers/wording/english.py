"""Sentences that jobs and services write in Turkish, as their readers mostly are, for readers of English.

{} is a number or a quoted word; {name} is what is filled in.
"""

from workers.wording.gateways import GATEWAYS
from workers.wording.sheets import SHEETS

ENGLISH = {
    **SHEETS,
    **GATEWAYS,
    "Telefon numarası kullanılamaz: {reason}.": "The telephone number can't be used: {reason}.",
    "Metin SMS olarak gönderilemez: {reason}.": "The text can't be sent as an SMS: {reason}.",
    # numbers
    "sabit hat, cep telefonu değil": "a landline, no mobile",
    "{}'lü hat, cep telefonu değil": "a {} line, no mobile",
    "{}'li hat, cep telefonu değil": "a {} line, no mobile",
    "ücretli ({}'lü) hat": "a premium ({}) line",
    "ücretli hat (+{code})": "a premium line (+{code})",
    "paylaşımlı ücretli hat": "a shared-cost line",
    "çağrı cihazı": "a pager",
    "kişisel yönlendirme numarası": "a personal forwarding number",
    "sesli mesaj hattı": "a voicemail line",
    "geçersiz numara (hane sayısı veya ilk haneleri yanlış)": "no valid number (its length or its first digits)",
    "numara boş": "the number is empty",
    "numara eksik": "the number is too short",
    "bir hücrede iki numara var": "two numbers in one cell",
    "numarada harf veya tanınmayan işaret var": "letters or unknown signs in the number",
    "telefon numarası değil": "it is no telephone number",
    "bilimsel gösterim (5,55E+09): hücreyi metin yapıp numarayı yeniden yazın": (
        "scientific notation (5.55E+09): make the cell a text and write the number anew"
    ),
    "ondalık sayı (Excel '.0' eklemiş): hücreyi metin yapıp numarayı yeniden yazın": (
        "a decimal number (Excel added '.0'): make the cell a text and write the number anew"
    ),
    "gönderime kapalı ülke (+{code})": "a country that nothing is sent to (+{code})",
    "uydu hattı (+{code})": "a satellite line (+{code})",
    "uluslararası hat (+{code})": "an international line (+{code})",
    "carinin telefonu yok": "the account has no telephone number",
    # texts
    "metin boş": "the text is empty",
    "metinde görünmeyen denetim karakteri var": "invisible control characters in the text",
    "{} SMS uzunluğunda, en çok {} olabilir": "as long as {} SMS, at most {} are allowed",
    "{} karakter uzunluğunda, en çok {} olabilir": "{} characters long, at most {} are allowed",
    # addresses
    "adres boş": "the address is empty",
    "adres {} karakterden uzun": "the address is longer than {} characters",
    "alan adı geçersiz": "the domain is not valid",
    "alan adı eksik (ad@ornek.com.tr gibi olmalı)": "the domain is missing (such as name@example.com)",
    "adreste satır sonu veya denetim karakteri var": "a line break or control characters in the address",
    "adreste görünmeyen karakter var": "invisible characters in the address",
    "bir alanda iki adres var": "two addresses in one field",
    "adreste birden çok @ var": "more than one @ in the address",
    "adreste @ yok (ad@ornek.com.tr gibi olmalı)": "no @ in the address (such as name@example.com)",
    "adreste boşluk, virgül veya noktalı virgül var": "a space, comma or semicolon in the address",
    "@ işaretinden öncesi boş": "nothing before the @",
    "@ işaretinden önce yalnızca İngilizce harf, rakam ve işaret olabilir": (
        "only English letters, digits and signs may stand before the @"
    ),
    "@ işaretinden öncesi {} karakterden uzun": "more than {} characters before the @",
    "@ işaretinden öncesi geçersiz (nokta başta, sonda, çift olamaz; tırnak ve ayraç olamaz)": (
        "what stands before the @ is not valid (no dot at an end or twice, no quotes, no brackets)"
    ),
    "gönderen adında satır sonu veya denetim karakteri var": "a line break or control characters in the sender's name",
    "ekler {} MB'tan büyük": "the attachments are larger than {} MB",
    "carinin e-posta adresi yok": "the account has no e-mail address",
    # what became of an item
    "İptal edildi": "Cancelled",
    "Görev bitti": "The task has ended",
    "Görev başarısız oldu": "The task failed",
    "Görev bu kaleme gelmeden bitti": "The task ended before it came to this item",
    "Görev başka bir araçla sonlandırıldı": "Another tool ended the task",
    "Mutabakat kaydı bulunamadı": "The letter's record was not found",
    "Günlük gönderim sınırı doldu": "The daily limit is reached",
    "Bu numaraya kısa sürede çok SMS gönderildi": "This number got too many SMS in a short time",
    "Bu alıcı {}. sırada da var; ona bir kez gönderilir": "This recipient stands in row {} too, and gets it once",
    "Aynı alıcı bu listede bir kez daha var": "The same recipient stands in this list once more",
    "Bu alıcıya bu görevde zaten gönderildi": "This task has sent it to this recipient already",
    "Alıcı bu gönderenden e-posta istemediğini bildirdi": "The recipient asked for no more mails of this sender",
    "Ağ geçidi bu mesajı hiç almamış; yeniden denenebilir": "The gateway never got this message; it may be tried again",
    "Ağ geçidi kabul etmedi": "The gateway refused it",
    "Ağ geçidinin yanıtı bu mesajı içermiyor; gönderilmiş olabilir.": (
        "The gateway's answer does not tell of this message; it may have been sent."
    ),
    "Yanıt alınamadan işçi durdu; mesaj gönderilmiş olabilir.": (
        "The worker died before an answer came; the message may have been sent."
    ),
    "Posta sunucusu ileti gönderilirken yanıt vermedi; alıp almadığı bilinmiyor": (
        "The mail server did not answer while the mail was sent; whether it took it is unknown"
    ),
    "Posta sunucusu en çok {} bayt alıyor, ileti {} bayt": "The mail server takes {} bytes at most, the mail has {}",
    "Posta sunucusu kabul etmedi: {reason}": "The mail server refused it: {reason}",
    "Alıcının sunucusu şimdi kabul etmiyor: {reason}": "The recipient's server does not take it now: {reason}",
    "Posta sunucusu bu alıcı için şimdi kabul etmiyor: {reason}": (
        "The mail server does not take it for this recipient now: {reason}"
    ),
}
