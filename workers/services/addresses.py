"""E-mail addresses as people and sheets write them: which can be mailed to, and how they are shown."""

import re
import unicodedata
from functools import lru_cache

from workers.errors import BadAddress

MAX_LOCAL, MAX_DOMAIN, MAX_LABEL, MAX_WHOLE = 64, 253, 63, 254  # octets, RFC 5321 4.5.3.1 and RFC 1035 2.3.4

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SPLITTERS = re.compile(r"[\s,;]")
_SHOWN_DOMAIN = re.compile(r"[\w.-]{1,80}")
_BREAKS = ("Cc", "Cs", "Zl", "Zp")  # controls, CR, LF and NUL among them; halves of characters; U+2028 and U+2029


@lru_cache(maxsize=512)  # an address is checked where it is accepted, counted, composed and offered
def check(text: str) -> str:
    """The one address that `text` is: its local part as given, its domain in lower case and punycode (UTS 46).

    Raises BadAddress with a Turkish reason that repeats nothing of it. Quoted local parts and `[192.0.2.1]` are
    refused: RFC 5321 knows them, no customer has them, and they are how filters are deceived.

    >>> check("Ali.Veli@ÖRNEK.com.tr"), check(" ali@İSTANBUL.COM ")
    ('Ali.Veli@xn--rnek-4qa.com.tr', 'ali@istanbul.com')
    """
    cleaned = _without_frame(text)
    _refuse_unlike_an_address(cleaned)
    local, _, written = cleaned.partition("@")
    _refuse_local(local)
    whole = f"{local}@{domain(written)}"
    if len(whole) > MAX_WHOLE:
        raise BadAddress(reason=f"adres {MAX_WHOLE} karakterden uzun")
    return whole


def domain(text: str) -> str:
    """A mail domain in lower case and punycode; raises BadAddress."""
    ascii_only = _punycode(
        text.replace("İ", "i")
    ).lower()  # as in shouted sheets: i and a dot above is no domain's letter
    labels = ascii_only.split(".")
    if len(labels) < 2:
        raise BadAddress(reason="alan adı eksik (ad@ornek.com.tr gibi olmalı)")
    named = all(len(label) <= MAX_LABEL and _LABEL.fullmatch(label) for label in labels)
    if not named or labels[-1].isdigit() or len(ascii_only) > MAX_DOMAIN:
        raise BadAddress(reason="alan adı geçersiz")
    return ascii_only


def mask(text: str) -> str:
    """The address for logs and pages; whatever else is given shows no more than its first letter.

    >>> mask("ali@ornek.com"), mask("Ali Veli"), mask("")
    ('a***@ornek.com', 'A***', '***')
    """
    cleaned = _without_frame(text)
    first = cleaned[:1] if cleaned[:1].isalnum() else ""
    local, at, written = cleaned.rpartition("@")
    shown = f"@{written}" if at and local and _SHOWN_DOMAIN.fullmatch(written) else ""
    return f"{first}***{shown}"


def _without_frame(text: str) -> str:
    """Spaces and invisible marks (which Excel and web pages leave) go from both ends; breaks stay, to be refused."""
    start, end = 0, len(text)
    while start < end and unicodedata.category(text[start]) in ("Zs", "Cf"):
        start += 1
    while end > start and unicodedata.category(text[end - 1]) in ("Zs", "Cf"):
        end -= 1
    return text[start:end]


def _refuse_unlike_an_address(text: str) -> None:
    if not text:
        raise BadAddress(reason="adres boş")
    kinds = {unicodedata.category(char) for char in text}
    if not kinds.isdisjoint(_BREAKS):
        raise BadAddress(reason="adreste satır sonu veya denetim karakteri var")
    if "Cf" in kinds:
        raise BadAddress(reason="adreste görünmeyen karakter var")
    if text.count("@") > 1:
        several = sum("@" in part for part in _SPLITTERS.split(text)) > 1
        raise BadAddress(reason="bir alanda iki adres var" if several else "adreste birden çok @ var")
    if "@" not in text:
        raise BadAddress(reason="adreste @ yok (ad@ornek.com.tr gibi olmalı)")
    if _SPLITTERS.search(text):
        raise BadAddress(reason="adreste boşluk, virgül veya noktalı virgül var")


def _refuse_local(local: str) -> None:
    if not local:
        raise BadAddress(reason="@ işaretinden öncesi boş")
    if not local.isascii():
        raise BadAddress(reason="@ işaretinden önce yalnızca İngilizce harf, rakam ve işaret olabilir")
    if len(local) > MAX_LOCAL:
        raise BadAddress(reason=f"@ işaretinden öncesi {MAX_LOCAL} karakterden uzun")
    if not _LOCAL.fullmatch(local):
        raise BadAddress(
            reason="@ işaretinden öncesi geçersiz (nokta başta, sonda, çift olamaz; tırnak ve ayraç olamaz)"
        )


def _punycode(text: str) -> str:
    """IDNA 2008 after the mapping of UTS 46. The standard library has IDNA 2003, for which straße.de is strasse.de."""
    if text.isascii() and "xn--" not in text.lower():
        return text
    import idna

    try:
        return idna.encode(text, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise BadAddress(reason="alan adı geçersiz") from None
