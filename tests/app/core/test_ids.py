"""Ids: UUIDv7 keys that sort by time, and their public spelling."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ids import decode_id, encode_id, floor_at, id_at, new_id

CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz")
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))


@given(st.uuids())
def test_an_id_is_spelt_as_the_type_id_specification_says(key: UUID) -> None:
    spelt = base64.b32encode(b"\0\0\0\0" + key.bytes).translate(CROCKFORD).decode()[6:]
    assert encode_id("company", key) == f"company_{spelt}"
    assert decode_id(f"company_{spelt}") == ("company", key)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("prefix_00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
        ("prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ("pre_fix_0123456789abcdefghjkmnpqrs", "0110c853-1d09-52d8-d73e-1194e95b5f19"),
        ("prefix_01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ],
)
def test_the_examples_of_the_specification_are_read_and_written(text: str, key: str) -> None:
    prefix, _, _ = text.rpartition("_")
    assert decode_id(text) == (prefix, UUID(key))
    assert encode_id(prefix, UUID(key)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "prefix",
        "_00000000000000000000000000",
        "PREFIX_00000000000000000000000000",
        "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
        "prefix_0000000000000000000000000",
        "prefix_000000000000000000000000000",
        "prefix_0123456789ABCDEFGHJKMNPQRS",
        "prefix_0123456789abcdefghijklmnop",
        "prefix-01h455vb4pex5vsknk084sn02q",
        "1prefix_00000000000000000000000000",
        "prefix__00000000000000000000000000",
        "prefix_00000000000000000000000000\n",
    ],
)
def test_what_is_no_type_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="TypeID"):
        decode_id(text)


@given(moments, moments)
def test_ids_of_moments_sort_as_the_moments_do(one: datetime, other: datetime) -> None:
    if one < other:
        assert id_at(one) < id_at(other)
        assert floor_at(one) <= id_at(one) < floor_at(other)


def test_new_ids_are_new_and_grow() -> None:
    keys = [new_id() for _ in range(1_000)]
    assert len(set(keys)) == 1_000
    assert [key.int >> 80 for key in keys] == sorted(key.int >> 80 for key in keys)
