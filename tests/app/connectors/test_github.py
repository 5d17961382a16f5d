"""GitHub's webhooks become observations, whatever their shape."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.connectors.providers.github import ACTS, observation, signature_matches
from app.signals.observations import Identity, IdentityKind, Observation, PersonTraits

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EARLIER = datetime(2026, 11, 19, 8, 30, tzinfo=UTC)
STAMP = "2026-11-19T08:30:00Z"
JANE = {"id": 42, "login": "jane", "type": "User"}
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def observe(event: str, payload: dict[str, Any]) -> Observation:
    result = observation(event, "72d3162e-cc78-11e3-81ab-4c9367dc0958", payload, NOW)
    assert result is not None
    return result


def test_the_signature_of_githubs_documentation() -> None:
    assert signature_matches(b"It's a Secret to Everybody", b"Hello, World!", SIGNATURE)


@pytest.mark.parametrize(
    ("secret", "body", "header"),
    [
        (b"It's a Secret to Everybody", b"Hello, World?", SIGNATURE),
        (b"another secret", b"Hello, World!", SIGNATURE),
        (b"It's a Secret to Everybody", b"Hello, World!", SIGNATURE.replace("sha256", "sha1")),
        (b"It's a Secret to Everybody", b"Hello, World!", SIGNATURE[7:]),
        (b"It's a Secret to Everybody", b"Hello, World!", SIGNATURE + "0"),
        *((b"secret", b"", header) for header in (None, "", "sha256=", "=", "sha256=é\ud800", "\x00")),
        # what an empty secret would sign
        (b"", b"", "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ],
)
def test_other_signatures_do_not_match(secret: bytes, body: bytes, header: str | None) -> None:
    assert not signature_matches(secret, body, header)


def test_a_star() -> None:
    payload = {
        "action": "created",
        "starred_at": STAMP,
        "repository": {"full_name": "acme/tool", "html_url": "https://github.com/acme/tool"},
        "organization": {"login": "acme"},
        "sender": JANE,
    }
    assert observe("star", payload) == Observation(
        type="github_star",
        source="github",
        occurred_at=EARLIER,
        key="72d3162e-cc78-11e3-81ab-4c9367dc0958",
        people=(Identity(IdentityKind.GITHUB, "42"),),
        person=PersonTraits(github_login="jane"),
        properties={
            "action": "created",
            "repository": "acme/tool",
            "login": "jane",
            "url": "https://github.com/acme/tool",
        },
        creates_person=True,
    )


@pytest.mark.parametrize(
    ("event", "payload", "type_", "when"),
    [
        ("star", {"action": "deleted", "starred_at": None}, "github_unstar", NOW),
        ("fork", {"forkee": {"created_at": STAMP}}, "github_fork", EARLIER),
        ("issues", {"action": "opened", "issue": {"created_at": STAMP}}, "github_issue_opened", EARLIER),
        ("issues", {"action": "labeled", "issue": {"updated_at": STAMP}}, "github_issue_labeled", EARLIER),
        ("issues", {"action": "deleted", "issue": {"updated_at": STAMP}}, "github_issue_deleted", NOW),
        (
            "issue_comment",
            {"action": "created", "comment": {"created_at": STAMP}},
            "github_issue_comment",
            EARLIER,
        ),
        ("issue_comment", {"action": "edited"}, "github_issue_comment_edited", NOW),
        ("pull_request", {"action": "opened", "pull_request": []}, "github_pull_request_opened", NOW),
        ("pull_request", {"action": "closed", "pull_request": {}}, "github_pull_request_closed", NOW),
        (
            "pull_request",
            {"action": "closed", "pull_request": {"merged": True, "merged_at": STAMP}},
            "github_pull_request_merged",
            EARLIER,
        ),
        ("discussion", {"action": "created"}, "github_discussion_created", NOW),
        ("discussion_comment", {"action": "created"}, "github_discussion_comment", NOW),
        (
            "release",
            {"action": "published", "release": {"published_at": STAMP}},
            "github_release_published",
            EARLIER,
        ),
        ("push", {"repository": {"pushed_at": int(EARLIER.timestamp())}}, "github_push", EARLIER),
        ("public", {}, "github_public", NOW),
        ("repository_dispatch", {"action": "On Demand!"}, "github_repository_dispatch_on_demand", NOW),
        (
            "deployment",
            {"action": "created", "deployment": {"created_at": STAMP}},
            "github_deployment_created",
            EARLIER,
        ),
        ("", {"action": {}}, "github", NOW),
        ("é" * 300, {"action": "x" * 300}, "github_" + "x" * 93, NOW),
    ],
)
def test_what_was_done_and_when(event: str, payload: dict[str, Any], type_: str, when: datetime) -> None:
    observed = observe(event, payload)
    assert (observed.type, observed.occurred_at) == (type_, when)


@pytest.mark.parametrize(("event", "action"), [("ping", None), ("watch", "started")])
def test_events_that_tell_nothing_of_their_own(event: str, action: str | None) -> None:
    assert observation(event, "guid", {"action": action, "sender": JANE}, NOW) is None


@pytest.mark.parametrize(
    "stamp",
    [
        *(
            "soon",
            "",
            None,
            True,
            0,
            -1,
            10**30,
            1.5,
            [],
            {},
            "0001-01-01T00:00:00+14:00",
            "1999-12-31T00:00:00Z",
        ),
        (NOW + timedelta(days=1)).isoformat(),
    ],
)
def test_a_time_that_cannot_be_is_the_arrival(stamp: Any) -> None:
    assert observe("star", {"action": "created", "starred_at": stamp}).occurred_at == NOW


@pytest.mark.parametrize(
    "sender",
    [
        {"id": 1, "login": "helper", "type": "Bot"},
        {"id": 1, "login": "dependabot[bot]", "type": "User"},
        {"id": 10137, "login": "ghost", "type": "User"},
        *({"id": id_, "login": "jane"} for id_ in (None, "42", True, 0, -1, 2**64, 1.0)),
        *(None, [], "jane", 7, {}),
    ],
)
def test_who_is_nobody(sender: Any) -> None:
    observed = observe("star", {"action": "created", "sender": sender})
    assert (observed.people, observed.person, observed.creates_person) == ((), PersonTraits(), False)


def test_an_organization_acts_but_is_no_person() -> None:
    observed = observe("fork", {"sender": {**JANE, "type": "Organization"}})
    assert observed.people == (Identity(IdentityKind.GITHUB, "42"),)
    assert not observed.creates_person


@pytest.mark.parametrize(
    ("pusher", "emails"),
    [
        ({"name": "jane", "email": "Jane@Acme.com"}, ["jane@acme.com"]),
        ({"name": "joe", "email": "joe@acme.com"}, []),
        ({"name": "jane", "email": "42+jane@users.noreply.github.com"}, []),
        ({"name": "jane", "email": "ci@acme.com"}, []),
        ({"name": "jane", "email": None}, []),
        (None, []),
    ],
)
def test_only_the_senders_own_address_counts(pusher: Any, emails: list[str]) -> None:
    observed = observe("push", {"pusher": pusher, "sender": JANE, "commits": [{"author": {"email": "x@y.io"}}]})
    assert [name.value for name in observed.people if name.kind is IdentityKind.EMAIL] == emails
    assert not observed.creates_person


def test_what_is_kept_can_be_stored_and_is_short() -> None:
    issue = {
        "number": 7,
        "title": "a\x00b\ud800" + "x" * 900,
        "html_url": " https://x.test ",
        "user": {"login": "joe"},
    }
    kept = observe("issues", {"action": "opened", "issue": issue, "label": {"name": 5}}).properties
    assert kept["title"] == "ab" + "x" * 498
    assert (kept["number"], kept["url"], kept["author"]) == (7, "https://x.test", "joe")


def test_the_table_names_types_that_can_be_stored() -> None:
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_.:-]{0,99}", act.type) for act in ACTS.values())
    assert len({act.type for act in ACTS.values()}) == len(ACTS)


_NAMES = """
    action sender id login type email pusher name repository full_name pushed_at issue pull_request merged
    comment discussion release forkee created_at starred_at number title html_url user label installation
"""
_EVENTS = st.sampled_from([*(key.partition(".")[0] for key in ACTS), "ping", "unheard_of"])
_WORDS = st.sampled_from(["created", "opened", "closed", "deleted", "jane", STAMP, "a@b.co", "\x00", "\ud800"])
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS
_KEYS = st.sampled_from(_NAMES.split())
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(_EVENTS | st.text(max_size=10), st.text(max_size=10), st.dictionaries(_KEYS, _JSON, max_size=8))
def test_no_payload_is_a_crash(event: str, delivery: str, payload: dict[str, Any]) -> None:
    observed = observation(event, delivery, payload, NOW)
    if observed is not None:
        assert re.fullmatch(r"github[a-z0-9_.:-]{0,94}", observed.type)
        assert observed.occurred_at <= NOW
        for text in (observed.key, observed.person.github_login, *observed.properties.values()):
            assert not isinstance(text, str) or (text.encode() and "\x00" not in text and len(text) <= 500)
