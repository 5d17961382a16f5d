"""GitHub's webhooks as observations.

GitHub adds events and fields freely, and its published samples break its own schema: a payload is read with
accessors that expect nothing, and what is not in the table becomes a signal named by its event and action."""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.signals.domains import address_of
from app.signals.observations import Identity, IdentityKind, Observation, PersonTraits
from app.signals.records import EARLIEST

MAX_TEXT = 500


class Act(NamedTuple):
    """A kind of act we know: what it is stored as, where its time is (None: it has none), and whether it is
    one of the public, whom we may get to know by it. The rest is done by those who own the repository."""

    type: str
    time: str | None
    by_public: bool


ACTS = {
    "star.created": Act("github_star", "starred_at", True),
    "star.deleted": Act("github_unstar", None, True),
    "fork": Act("github_fork", "forkee.created_at", True),
    "issues.opened": Act("github_issue_opened", "issue.created_at", True),
    "issues.closed": Act("github_issue_closed", "issue.closed_at", False),
    "issues.reopened": Act("github_issue_reopened", "issue.updated_at", False),
    "issue_comment.created": Act("github_issue_comment", "comment.created_at", True),
    "pull_request.opened": Act("github_pull_request_opened", "pull_request.created_at", True),
    "pull_request.closed": Act("github_pull_request_closed", "pull_request.closed_at", False),
    "pull_request.merged": Act("github_pull_request_merged", "pull_request.merged_at", False),
    "pull_request.reopened": Act("github_pull_request_reopened", "pull_request.updated_at", False),
    "pull_request_review.submitted": Act("github_pull_request_review", "review.submitted_at", True),
    "pull_request_review_comment.created": Act("github_pull_request_review_comment", "comment.created_at", True),
    "commit_comment.created": Act("github_commit_comment", "comment.created_at", True),
    "discussion.created": Act("github_discussion_created", "discussion.created_at", True),
    "discussion.answered": Act("github_discussion_answered", "discussion.answer_chosen_at", False),
    "discussion_comment.created": Act("github_discussion_comment", "comment.created_at", True),
    "release.published": Act("github_release_published", "release.published_at", False),
    "push": Act("github_push", "repository.pushed_at", False),
    "sponsorship.created": Act("github_sponsorship_created", "sponsorship.created_at", True),
    "installation.created": Act("github_installation_created", "installation.created_at", True),
    "installation.deleted": Act("github_installation_deleted", None, True),
    "marketplace_purchase.purchased": Act("github_marketplace_purchase", "effective_date", True),
}
"""By `event.action`, or `event` where it has none. A pull request closed by merging is `merged`."""

# `ping` says that the hook works; `watch` comes with every `star` and says the same.
_SILENT = ("ping", "watch")
_SINGULAR = {"issues": "issue"}
# Accounts that stand for nobody: deleted users, and GitHub itself.
_NOBODY = ("ghost", "web-flow")

# What is kept of a payload: a name, and where it may be.
_PROPERTIES = {
    "action": ("action",),
    "repository": ("repository.full_name",),
    "login": ("sender.login",),
    "number": ("issue.number", "pull_request.number", "discussion.number", "number"),
    "title": ("issue.title", "pull_request.title", "discussion.title", "release.name"),
    "url": (
        *("comment.html_url", "review.html_url", "issue.html_url", "pull_request.html_url"),
        *("discussion.html_url", "release.html_url", "forkee.html_url", "compare", "repository.html_url"),
    ),
    "author": (
        "pull_request.user.login",
        "issue.user.login",
        "discussion.user.login",
        "release.author.login",
    ),
    "association": (
        *("comment.author_association", "review.author_association", "issue.author_association"),
        *("pull_request.author_association", "discussion.author_association"),
    ),
    "label": ("label.name",),
    "tag": ("release.tag_name",),
    "ref": ("ref",),
    "fork": ("forkee.full_name",),
    "account": ("installation.account.login", "marketplace_purchase.account.login"),
    "plan": ("marketplace_purchase.plan.name", "sponsorship.tier.name"),
}


def signature_matches(secret: bytes, body: bytes, header: str | None) -> bool:
    """Whether `X-Hub-Signature-256` signs the raw body with the secret; an empty secret signs nothing."""
    algorithm, _, signature = (header or "").partition("=")
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
    same = hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
    return same and algorithm == "sha256" and bool(secret)


def observation(event: str, delivery: str, payload: Mapping[str, Any], received_at: datetime) -> Observation | None:
    """What a webhook tells, or None where it tells nothing of its own. `event` and `delivery` are GitHub's
    headers; the delivery's id stays the same when it is sent again. `received_at` is aware."""
    if event in _SILENT:
        return None
    action = _action(event, payload)
    act = ACTS.get(f"{event}.{action}" if action else event) or _unknown(event, action)
    people = tuple(_people(payload))
    login = _text(payload, "sender.login")
    return Observation(
        type=act.type,
        source="github",
        occurred_at=_moment(_at(payload, act.time) if act.time else None, received_at),
        key=_clean(delivery)[:255] or None,
        people=people,
        person=PersonTraits(github_login=login) if people else PersonTraits(),
        properties=dict(_properties(payload)),
        creates_person=bool(people) and act.by_public and _at(payload, "sender.type") in ("User", None),
    )


def _action(event: str, payload: Mapping[str, Any]) -> str:
    action = _text(payload, "action") or ""
    merged = event == "pull_request" and action == "closed" and _at(payload, "pull_request.merged") is True
    return "merged" if merged else action


def _unknown(event: str, action: str) -> Act:
    """An act named after its event and action, timed by the object of the event's name."""
    noun = _SINGULAR.get(event, event)
    words = ("github", *(re.sub(r"[^a-z0-9_.:-]+", "_", word.lower()).strip("_") for word in (noun, action)))
    past = {"": "created_at", "created": "created_at", "deleted": None, "removed": None}
    field = past.get(action, "updated_at")
    return Act("_".join(filter(None, words))[:100], f"{noun}.{field}" if field else None, False)


def _people(payload: Mapping[str, Any]) -> Iterator[Identity]:
    """The sender's names. A login may change hands, so that the number counts; bots are nobody."""
    number, login = _at(payload, "sender.id"), _text(payload, "sender.login") or ""
    if _at(payload, "sender.type") == "Bot" or login.endswith("[bot]") or login in _NOBODY:
        return
    if type(number) is not int or not 0 < number < 2**63:
        return
    yield Identity(IdentityKind.GITHUB, str(number))
    same = login and login == _text(payload, "pusher.name")
    for path in ("sender.email", "pusher.email") if same else ("sender.email",):
        address = address_of(_text(payload, path))
        if address and address.identifies_person:
            yield Identity(IdentityKind.EMAIL, address.email)


def _properties(payload: Mapping[str, Any]) -> Iterator[tuple[str, str | int]]:
    for name, paths in _PROPERTIES.items():
        for path in paths:
            if (value := _text(payload, path) or _number(payload, path)) is not None:
                yield name, value
                break


def _moment(value: Any, received_at: datetime) -> datetime:
    """The time, given as text or as seconds since 1970; when it arrived, where that cannot be or is later."""
    try:
        moment = datetime.fromtimestamp(value, UTC) if type(value) is int else datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return received_at
    return moment if EARLIEST <= moment <= received_at else received_at


def _at(payload: Any, path: str) -> Any:
    """What is at a dotted path; None where the payload has another shape."""
    for name in path.split("."):
        payload = payload.get(name) if isinstance(payload, Mapping) else None
    return payload


def _text(payload: Mapping[str, Any], path: str) -> str | None:
    value = _at(payload, path)
    return _clean(value) or None if isinstance(value, str) else None


def _number(payload: Mapping[str, Any], path: str) -> int | None:
    value = _at(payload, path)
    return value if type(value) is int and abs(value) < 2**63 else None


def _clean(text: str) -> str:
    """The text as PostgreSQL can store it, without NUL and lone surrogates, and not longer than 500."""
    return text.replace("\x00", "").encode(errors="ignore").decode()[:MAX_TEXT].strip()
