"""UUIDv7 keys and their public spelling as TypeIDs (prefix + Crockford base32, spec v0.3)."""

import base64
import itertools
import re
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils

_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD = b"0123456789abcdefghjkmnpqrstvwxyz"
_DECODE = bytes.maketrans(_CROCKFORD, _STANDARD)
_THREE = tuple("".join(digits) for digits in itertools.product(_CROCKFORD.decode(), repeat=3))
"""The digits of every 15 bits: most of what is written out is ids, and `base64.b32encode` takes five times as long."""
MAX_TYPEID = 90
_LOW = (1 << 75) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TYPEID = re.compile(r"([a-z]{1,63}(?:_[a-z]+)*)_([0-7][0-9abcdefghjkmnpqrstvwxyz]{25})\Z")


def new_id() -> UUID:
    """A UUIDv7 of now."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def id_at(moment: datetime) -> UUID:
    """A UUIDv7 that sorts by `moment` to the microsecond: 48 bits of milliseconds, 12 bits of the
    fraction below (RFC 9562, section 6.2, method 3), 62 random bits."""
    return UUID(int=_time_bits(moment) | 0x8 << 60 | secrets.randbits(62))


def floor_at(moment: datetime) -> UUID:
    """The smallest key that `id_at` can give for `moment`."""
    return UUID(int=_time_bits(moment) | 0x8 << 60)


def _time_bits(moment: datetime) -> int:
    microseconds = max(0, (moment - _EPOCH) // _MICROSECOND)
    milliseconds, rest = divmod(microseconds, 1000)
    return (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (rest * 4096 // 1000) << 64


def encode_id(prefix: str, id_: UUID) -> str:
    high, low = id_.int >> 75, id_.int & _LOW  # the last 75 of 128 bits are five times three digits
    three, bits = _THREE, 0x7FFF
    return (
        f"{prefix}_{three[high >> 45][1:]}{three[high >> 30 & bits]}{three[high >> 15 & bits]}{three[high & bits]}"
        f"{three[low >> 60]}{three[low >> 45 & bits]}{three[low >> 30 & bits]}"
        f"{three[low >> 15 & bits]}{three[low & bits]}"
    )


def decode_id(text: str) -> tuple[str, UUID]:
    """Prefix and key of a TypeID; `ValueError` for anything else."""
    match = _TYPEID.match(text) if len(text) <= MAX_TYPEID else None
    if match is None:
        raise ValueError("not a TypeID")
    padded = b"AAAAAA" + match[2].encode().translate(_DECODE)
    return match[1], UUID(bytes=base64.b32decode(padded)[4:])
