"""The seal: JSON, compressed, encrypted and authenticated (AES-256-GCM), so that Redis holds nothing in the clear.

A sealed value is `S1` + key id (4 bytes) + nonce (12) + ciphertext. SECRET_KEY may hold several keys: the first seals,
all open. Names `dumps` and `loads` are what RQ asks of a serializer (`rq worker -S workers.engine.seal.Seal`).
"""

import hashlib
import math
import os
import zlib
from dataclasses import fields, is_dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic_core import to_json

from workers import settings
from workers.errors import KeyMissing, NotSerializable, SealBroken

MARK = b"S1"
PURPOSE = b"sira sealed value, version 1"
COMPRESS_FROM_BYTES = 1024  # less is not worth the time: 20 µs to make some 300 bytes 220
DEPTH_AT_MOST = 255
_derived: list[tuple[settings.Settings, list[tuple[bytes, AESGCM]]]] = []


class Seal:
    """RQ's serializer: `dumps` seals, `loads` opens or raises SealBroken."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        return seal(encode(value))

    @staticmethod
    def loads(sealed: bytes) -> Any:
        return orjson.loads(unseal(sealed))


def encode(value: Any) -> bytes:
    """JSON bytes; dates and Decimals become text. Raises NotSerializable naming the type, or the NaN or infinity."""
    try:
        packed = orjson.dumps(value, default=_as_text)
    except TypeError:
        packed = _with_other_keys(value)
    # orjson writes NaN and infinity as null, in silence; pydantic keeps them apart, for a fraction of a walk's time
    if b"null" in packed and _nulls(value) != packed.count(b"null") and (number := _not_finite(value)) is not None:
        raise NotSerializable(type_name=str(number))
    return packed


def _with_other_keys(value: Any) -> bytes:
    """Keys that are no text become it, as in all JSON; of two that become the same, one would be lost."""
    try:
        packed = orjson.dumps(value, default=_as_text, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise NotSerializable(type_name=_culprit(value)) from error
    if len(orjson.dumps(orjson.loads(packed))) < len(packed):
        raise NotSerializable(type_name="dict with two keys of the same name")
    return packed


def seal(plain: bytes) -> bytes:
    name, cipher = _ciphers()[0]
    packed = b"z" + zlib.compress(plain, 1) if len(plain) >= COMPRESS_FROM_BYTES else b"-" + plain
    nonce = os.urandom(12)
    return MARK + name + nonce + cipher.encrypt(nonce, packed, PURPOSE)


def key_name(sealed: bytes) -> bytes:
    """By which the key that sealed it is known."""
    return sealed[len(MARK) : len(MARK) + 4]


def unseal(sealed: bytes) -> bytes:
    if sealed[:2] != MARK or len(sealed) < 34:
        raise SealBroken(reason="it does not carry our mark")
    for name, cipher in _ciphers():
        if name == key_name(sealed):
            try:
                packed = cipher.decrypt(sealed[6:18], sealed[18:], PURPOSE)
            except InvalidTag as error:
                raise SealBroken(reason="its signature does not match") from error
            return zlib.decompress(packed[1:]) if packed[:1] == b"z" else packed[1:]
    raise KeyMissing()


def _ciphers() -> list[tuple[bytes, AESGCM]]:
    """By the names of their keys; derived anew when the settings are others."""
    chosen = settings.current()
    if not _derived or _derived[0][0] is not chosen:
        keys = [hashlib.sha256(b"sira seal " + key.encode()).digest() for key in chosen.sealing_keys()]
        _derived[:] = [(chosen, [(hashlib.sha256(key).digest()[:4], AESGCM(key)) for key in keys])]
    return _derived[0][1]


def _as_text(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError


def _nulls(value: Any) -> int:
    return to_json(value, inf_nan_mode="constants", fallback=str).count(b"null")


def _not_finite(value: Any) -> float | None:
    """The first NaN or infinity inside `value`, which is no deeper than orjson goes."""
    if isinstance(value, float):
        return None if math.isfinite(value) else value
    found = (_not_finite(child) for child in _children(value))
    return next((number for number in found if number is not None), None)


def _culprit(value: Any) -> str:
    """The innermost type inside `value` that JSON can't hold; in what is endless, the type where we stop looking."""
    for _ in range(DEPTH_AT_MOST):
        inner = [child for child in _children(value) if not _fits(child)]
        if not inner:
            break
        value = inner[0]
    return type(value).__name__


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value)]
    return list(value) if isinstance(value, list | tuple | set | frozenset) else []


def _fits(value: Any) -> bool:
    try:
        return bool(orjson.dumps(value, default=_as_text, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:
        return False
