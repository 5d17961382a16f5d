"""Segment calls become observations; what cannot be used is dropped alone."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.connectors.providers.segment import event_type, observations, write_key
from app.core.errors import Code, Problem, Refusal
from app.signals.observations import CompanyTraits, Identity, IdentityKind, Observation, PersonTraits

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def observe(call: str, **said: Any) -> Observation:
    (result,) = observations(call, {"userId": "u1", **said}, NOW)
    assert isinstance(result, Observation), result
    return result


def names(observation: Observation | Problem) -> list[str]:
    assert isinstance(observation, Observation), observation
    return [f"{name.kind} {name.value}" for name in (*observation.people, *observation.groups)]


def problem(call: str, **said: Any) -> Problem:
    (result,) = observations(call, {"userId": "u1", **said}, NOW)
    assert isinstance(result, Problem), result
    return result


def test_a_tracked_event() -> None:
    said = {"anonymousId": "a1", "properties": {"plan": "pro"}, "context": None, "_metadata": {}}
    assert observe("track", event=" Order Completed ", messageId="m-1", **said) == Observation(
        type="order_completed",
        source="segment",
        occurred_at=NOW,
        key="m-1",
        people=(Identity(IdentityKind.USER, "u1"), Identity(IdentityKind.ANONYMOUS, "a1")),
        properties={"plan": "pro", "$event": "Order Completed"},
    )


_TYPES = {
    "Order Completed": "order_completed",
    "orderCompleted": "order_completed",
    "APIKeyCreated": "api_key_created",
    "GitHub Connected": "github_connected",
    " billing.invoice:paid-late! ": "billing.invoice:paid-late",
    "Café Visité": "cafe_visite",
}


@pytest.mark.parametrize(("name", "type_"), _TYPES.items())
def test_event_names_become_types(name: str, type_: str) -> None:
    assert event_type(name) == type_


def test_names_that_lose_letters_stay_apart() -> None:
    names = ["购买", "注册", "購入 done", "Покупка done", "!!!", "x" * 101, "x" * 102, "👍", "👎"]
    types = [event_type(name) for name in names]
    assert len(set(types)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_.:-]{0,99}", type_) for type_ in types)


_AT_ACME = {"page": {"url": "https://acme.io"}}


@pytest.mark.parametrize(
    ("call", "said", "type_", "stored"),
    [
        ("identify", {"traits": {"plan": "pro"}}, "identify", {"plan": "pro"}),
        ("group", {"groupId": "g1", "traits": {"plan": "pro"}}, "group", {"plan": "pro"}),
        ("alias", {"previousId": "a1"}, "alias", {"previousId": "a1"}),
        ("screen", {"name": "Home", "category": None}, "screen_view", {"name": "Home"}),
        ("track", {"event": "E", "properties": []}, "e", {"$event": "E"}),
        (
            "track",
            {"event": "E", "properties": {"event": "x", "$event": 1}},
            "e",
            {"event": "x", "$event": "E"},
        ),
        (
            "page",
            {"name": "Docs", "context": _AT_ACME},
            "page_view",
            {"name": "Docs", "url": "https://acme.io"},
        ),
        ("page", {"name": "Docs", "properties": {"name": "API"}}, "page_view", {"name": "API"}),
    ],
)
def test_kinds_of_calls(call: str, said: dict[str, Any], type_: str, stored: dict[str, Any]) -> None:
    observation = observe(call, **said)
    assert (observation.type, observation.properties) == (type_, stored)


@pytest.mark.parametrize(
    ("said", "people"),
    [
        ({"userId": 42.0}, "USER 42"),
        ({"userId": "undefined", "anonymousId": "a1"}, "ANONYMOUS a1"),
        ({"userId": "u1", "traits": {"email": " Jane@Acme.com "}}, "USER u1, EMAIL jane@acme.com"),
        ({"userId": "u1", "traits": {"email": "nonsense"}}, "USER u1"),
        ({"userId": "u1", "context": {"traits": {"email": "j@a.io"}}}, "USER u1, EMAIL j@a.io"),
        ({"userId": "u1", "properties": {"email": "j@a.io"}}, "USER u1, EMAIL j@a.io"),
        ({"userId": "J@a.io"}, "USER J@a.io, EMAIL j@a.io"),
        # another person's address
        ({"userId": "j@a.io", "properties": {"email": "k@b.io"}}, "USER j@a.io, EMAIL j@a.io"),
        ({"userId": "u1", "event": "Teammate Invited", "properties": {"email": "k@b.io"}}, "USER u1"),
    ],
)
def test_who_acted(said: dict[str, Any], people: str) -> None:
    assert ", ".join(names(observe("track", **{"event": "Signed Up", **said}))) == people


def test_an_aliass_older_name_may_be_of_either_kind() -> None:
    assert names(observe("alias", previousId="a1")) == ["USER u1", "USER a1", "ANONYMOUS a1"]
    both = observe("alias", previousId="j@a.io", anonymousId="j@a.io")
    assert names(both) == ["USER u1", "EMAIL j@a.io", "USER j@a.io", "ANONYMOUS j@a.io"]


def test_what_is_said_of_the_person() -> None:
    named = {"firstName": "Jane", "lastName": "van Dyk", "name": "X Y", "title": "CTO", "phone": "+1 555"}
    assert observe("identify", traits=named).person == PersonTraits("Jane", "van Dyk", "CTO", "+1 555")
    assert observe("identify", traits={"name": "Jane van Dyk"}).person == PersonTraits("Jane", "van Dyk")
    assert observe("identify", traits={"name": "jane@acme.com"}).person == PersonTraits()
    assert observe("group", groupId="g", traits={"name": "Acme Inc"}).person == PersonTraits()
    context = {"traits": {"firstName": "Jane"}}
    assert observe("identify", traits={"firstName": None}, context=context).person == PersonTraits("Jane")


def test_what_is_said_of_the_company() -> None:
    traits = {
        "email": "x@acme.com",
        "name": "Acme",
        "website": "https://acme.com",
        "industry": "IT",
        "employees": "1,200",
    }
    grouped = observe("group", groupId=7, traits=traits)
    assert names(grouped) == ["USER u1", "GROUP 7"]  # its address is not the actor's
    assert grouped.company == CompanyTraits("Acme", "https://acme.com", "IT", 1200)
    company = {"id": "g9", "name": "Acme", "domain": "acme.com", "employee_count": 5}
    identified = observe("identify", traits={"company": company})
    assert names(identified) == ["USER u1", "GROUP g9"]
    assert identified.company == CompanyTraits("Acme", "acme.com", None, 5)
    assert observe("identify", traits={"company": "Acme"}).company == CompanyTraits("Acme")
    assert names(observe("track", event="E", context={"groupId": "g2"})) == ["USER u1", "GROUP g2"]


def test_nonsense_is_no_number_of_employees() -> None:
    counts: list[Any] = ["50-100", "many", True, -1, [], 1.5, None]
    for count in counts:
        assert observe("group", groupId="g", traits={"employees": count}).company.employees is None


@pytest.mark.parametrize(
    "nobody",
    [
        *("", "  ", "null", "None", "undefined", "NaN", "0", "0000", "[object Object]", "anonymous"),
        *(0, None, True, {}, "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_blocked_values_name_nobody(nobody: Any) -> None:
    refused = problem("track", event="E", userId=nobody, anonymousId=nobody)
    assert (refused.code, refused.path) == (Code.INVALID, ("userId",))
    assert problem("group", groupId=nobody).path == ("groupId",)
    assert problem("alias", previousId=nobody).path == ("previousId",)
    assert observe("track", event="E", messageId=nobody).key is None


@pytest.mark.parametrize(
    ("call", "said", "path"),
    [
        *(("track", {"event": name}, "event") for name in (None, " ", 7)),
        ("track", {"event": "E", "properties": "x"}, "properties"),
        ("identify", {"traits": [1]}, "traits"),
        ("identify", {"userId": "x" * 256}, "userId"),
        ("alias", {"previousId": "a", "userId": None, "anonymousId": "b"}, "userId"),
        ("import", {}, "type"),
    ],
)
def test_events_that_cannot_be_used(call: str, said: dict[str, Any], path: str) -> None:
    refused = problem(call, **said)
    assert (refused.code, refused.path) == (Code.INVALID, (path,))


@pytest.mark.parametrize("held", [{"a": "\x00"}, {"\ud800": 1}, {"a": ["\udfff"]}, {"a": 2**64}, {"\x00": 1}])
def test_what_cannot_be_stored_is_a_problem(held: dict[str, Any]) -> None:
    assert problem("track", event="E", properties=held).code is Code.INVALID
    assert problem("identify", **held).code is Code.INVALID


def test_an_event_has_at_most_32_kb() -> None:
    assert problem("track", event="E", properties={"a": "x" * 32_768}).code is Code.TOO_LARGE
    observe("track", event="E", properties={"a": "x" * 32_700})


def test_deep_nesting_is_a_problem_and_not_a_crash() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    assert problem("track", event="E", properties={"a": deep}).code is Code.INVALID


_NO_TIMES: list[Any] = ["", "soon", True, [], {}, 1e300, -5, "0001-01-01T00:00:00+14:00", "1970-01-01T00:00Z"]


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat()


FAST = ago(hours=-2, minutes=5)


@pytest.mark.parametrize(
    ("said", "seconds_ago"),
    [
        ({}, 0),
        ({"timestamp": ago(hours=1)}, 3600),
        ({"timestamp": "2026-11-20T11:00:00.123456789+00:00"}, 3600 - 0.123456),
        ({"timestamp": "2026-11-20T11:00:00"}, 3600),
        ({"timestamp": NOW.timestamp() - 60}, 60),
        ({"timestamp": (NOW.timestamp() - 60) * 1000}, 60),
        ({"timestamp": str(int(NOW.timestamp()) - 60)}, 60),
        # the sender's clock is an hour slow, then two hours fast
        ({"timestamp": ago(hours=1, minutes=5), "sentAt": ago(hours=1)}, 300),
        ({"originalTimestamp": FAST, "timestamp": ago(days=3), "sentAt": ago(hours=-2)}, 300),
        # clocks that cannot be right
        ({"timestamp": ago(hours=-1)}, 0),
        ({"timestamp": ago(hours=1), "sentAt": ago(hours=2)}, 0),
        ({"timestamp": ago(hours=1), "sentAt": "yesterday"}, 3600),
        ({"timestamp": ago(hours=1), "sentAt": 0}, 3600),
        ({"timestamp": ago(hours=1), "sentAt": "9999-12-31T23:59:59Z"}, 0),
        *(({"timestamp": text}, 0) for text in _NO_TIMES),
    ],
)
def test_clocks_are_corrected(said: dict[str, Any], seconds_ago: float) -> None:
    late = NOW - observe("track", event="E", **said).occurred_at
    assert late.total_seconds() == pytest.approx(seconds_ago, abs=1e-3)


def test_a_batch_shares_its_context_and_drops_events_alone() -> None:
    body = {
        "context": {"traits": {"email": "jane@acme.com"}, "groupId": "g1"},
        "sentAt": ago(hours=1),
        "batch": [
            {"type": "track", "event": "A", "userId": "u1", "timestamp": ago(hours=1, minutes=1)},
            {"type": "track", "userId": "u1"},
            {"type": "page", "anonymousId": "a1", "context": {"groupId": "g2", "traits": None}},
            "nonsense",
            {"type": "delete", "userId": "u1"},
        ],
    }
    first, dropped, page, nonsense, unknown = observations("batch", body, NOW)
    assert names(first) == ["USER u1", "EMAIL jane@acme.com", "GROUP g1"]
    assert isinstance(first, Observation)
    assert first.occurred_at == NOW - timedelta(minutes=1)
    assert names(page) == ["EMAIL jane@acme.com", "ANONYMOUS a1", "GROUP g2"]
    paths = [problem.path for problem in (dropped, nonsense, unknown) if isinstance(problem, Problem)]
    assert paths == [("batch", 1, "event"), ("batch", 3), ("batch", 4, "type")]


_MALFORMED: list[tuple[str, Any, Code]] = [
    ("track", [], Code.INVALID),
    ("track", None, Code.INVALID),
    ("batch", {}, Code.INVALID),
    ("batch", {"batch": {}}, Code.INVALID),
    ("batch", {"batch": [{}] * 2501}, Code.TOO_LARGE),
    ("batch", {"batch": [], "context": {"a": "\x00"}}, Code.INVALID),
    ("batch", {"batch": [], "context": {"a": "x" * 33_000}}, Code.TOO_LARGE),
]


@pytest.mark.parametrize(("call", "body", "code"), _MALFORMED)
def test_malformed_bodies_are_refused(call: str, body: Any, code: Code) -> None:
    with pytest.raises(Refusal) as refused:
        observations(call, body, NOW)
    assert refused.value.code is code
    assert observations("batch", {"batch": []}, NOW) == []


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("authorization", "body", "key"),
    [
        (basic(b"dsk_1:"), {}, "dsk_1"),
        (basic(b"dsk_1").rstrip("="), {}, "dsk_1"),
        ("Bearer dsk_2", {"writeKey": "dsk_3"}, "dsk_2"),
        (None, {"writeKey": " dsk_3 "}, "dsk_3"),
        ("Basic ü", {"writeKey": "dsk_3"}, "dsk_3"),
        ("Digest x", {"writeKey": 7}, None),
        (basic(b"\xff\xfe"), None, None),
        (basic(b":secret"), [], None),
    ],
)
def test_where_the_write_key_is(authorization: str | None, body: Any, key: str | None) -> None:
    assert write_key(authorization, body) == key


_NAMES = """
    type event userId anonymousId groupId previousId messageId traits properties context sentAt timestamp
    email company name page url batch originalTimestamp employees writeKey
"""
_CALLS = st.sampled_from(["track", "identify", "page", "screen", "group", "alias", "batch", "?"])
_KEYS = st.sampled_from(_NAMES.split())
_WORDS = st.sampled_from(["track", "alias", "page", "0", "a@b.co", "2026-01-01", "\x00", "\ud800"])
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS


def _holders(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6)


_JSON = st.recursive(_SCALARS, _holders, max_leaves=12)
_EVENT = st.dictionaries(_KEYS, _JSON, max_size=8).map(lambda said: {"userId": "u1", "event": "E", **said})


@settings(max_examples=100, deadline=None)
@given(_CALLS, _EVENT | _JSON, _JSON)
def test_no_body_is_a_crash(call: str, body: Any, around: Any) -> None:
    whole = {"batch": [body], "context": around, "sentAt": around} if call == "batch" else body
    try:
        results = observations(call, whole, NOW)
    except Refusal:
        return
    for result in results:
        if isinstance(result, Observation):
            assert result.occurred_at <= NOW
            assert all(0 < len(name.value) <= 255 for name in (*result.people, *result.groups))
    write_key(None, whole)
