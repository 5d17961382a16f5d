"""Segment's Tracking API (`/v1/track` … `/v1/batch`) as observations.

Follows the public specification: explicit nulls and unknown keys are accepted, a batch's `context` is the default of
its events', a single event that cannot be used is dropped with a `Problem` while the others are kept."""

import base64
import binascii
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from app.core.errors import Code, Problem, Refusal
from app.core.records import JsonObject, refusal_of
from app.signals.domains import work_email
from app.signals.observations import CompanyTraits, Identity, IdentityKind, Observation, PersonTraits
from app.signals.records import EARLIEST

SOURCE = "segment"
MAX_EVENT_BYTES = 32 * 1024
MAX_BATCH = 2_500
MAX_ID = 255

TYPES = {
    "identify": "identify",
    "group": "group",
    "alias": "alias",
    "page": "page_view",
    "screen": "screen_view",
}
"""What each kind of call is stored as; a `track` is stored as its event's name."""

# What broken clients send for an id, in lower case. Taken for a person, it would join strangers.
_NOBODY = frozenset(
    {
        *("null", "(null)", "nil", "none", "undefined", "nan", "[object object]", "true", "false", "unknown"),
        *("anonymous", "guest", "distinctid", "distinct_id", "id", "email", "not_authenticated", "n/a", "na", "-"),
    }
)
_ZEROS = re.compile(r"[0\s.-]*")
# Words in an event's name that tell that the address in its properties is another person's.
_ABOUT_OTHERS = frozenset(
    """
    invite invites invited invitation invitations refer referred referral share shared member members teammate
    teammates collaborator collaborators recipient recipients sent forwarded
    """.split()
)

_storable = TypeAdapter[dict[str, Any]](JsonObject)


@dataclass(frozen=True, slots=True)
class _Event:
    """One event of any kind with what surrounds it; the maps are never null."""

    kind: str
    said: Mapping[str, Any]
    context: Mapping[str, Any]
    properties: dict[str, Any]
    traits: dict[str, Any]
    sent_at: Any
    received_at: datetime


def write_key(authorization: str | None, body: Any) -> str | None:
    """The write key, from where an SDK puts it: Basic (with or without the colon), Bearer, or the body."""
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    if scheme.lower() == "basic" and (key := _basic_key(credentials)):
        return key
    if scheme.lower() == "bearer" and (key := credentials.strip()):
        return key
    return _text(_map(body).get("writeKey"))


def observations(call: str, body: Any, received_at: datetime) -> list[Observation | Problem]:
    """What the decoded body of `/v1/{call}` observed, in its order; `received_at` is aware.

    A problem's path starts at the body's root. Refuses a body that is no object, a batch that is no list, and one of
    more than 2,500 events."""
    if not isinstance(body, dict):
        raise Refusal(Code.INVALID, "must be a JSON object")
    if call != "batch":
        return [_observation(call, body, body, received_at)]
    events = body.get("batch")
    if not isinstance(events, list):
        raise Refusal(Code.INVALID, "must be a list of events", ("batch",))
    if len(events) > MAX_BATCH:
        raise Refusal(Code.TOO_LARGE, f"must have at most {MAX_BATCH} events", ("batch",))
    return [_row(index, event, body, received_at) for index, event in enumerate(events)]


def _row(index: int, said: Any, body: Mapping[str, Any], received_at: datetime) -> Observation | Problem:
    if not isinstance(said, dict):
        return Problem(Code.INVALID, "must be a JSON object", ("batch", index))
    call = said.get("type")
    result = _observation(call.lower() if isinstance(call, str) else "", said, body, received_at)
    return result.under("batch", index) if isinstance(result, Problem) else result


def _observation(
    call: str, said: dict[str, Any], body: Mapping[str, Any], received_at: datetime
) -> Observation | Problem:
    if call != "track" and call not in TYPES:
        return Problem(Code.INVALID, "must be one of track, identify, page, screen, group, alias", ("type",))
    try:
        _check_size(said)
        event = _event(call, said, body, received_at)
        _check_names(event)
        return Observation(
            type=event_type(event.said["event"]) if call == "track" else TYPES[call],
            source=SOURCE,
            occurred_at=_occurred_at(event),
            key=_identifier(event.said, "messageId"),
            people=tuple(dict.fromkeys(_people(event))),
            groups=tuple(dict.fromkeys(_groups(event))),
            person=_person(event),
            company=_company(event),
            properties=_properties(event),
        )
    except Refusal as refusal:
        return refusal.problems[0]


def _event(call: str, said: dict[str, Any], body: Mapping[str, Any], received_at: datetime) -> _Event:
    context = {**_map(body.get("context")), **_map(said.get("context"))}
    _check_storable(context)
    return _Event(
        kind=call,
        said=said,
        context=context,
        properties=_object(said, "properties"),
        traits=_object(said, "traits"),
        sent_at=said.get("sentAt") or body.get("sentAt"),
        received_at=received_at,
    )


def _check_size(said: dict[str, Any]) -> None:
    _check_storable(said)
    try:
        size = len(orjson.dumps(said))
    except TypeError:
        raise Refusal(Code.INVALID, "must hold numbers of at most 64 bits") from None
    if size > MAX_EVENT_BYTES:
        raise Refusal(Code.TOO_LARGE, f"must be at most {MAX_EVENT_BYTES // 1024} KB")


def _check_storable(value: dict[str, Any]) -> None:
    try:
        _storable.validate_python(value)
    except ValidationError as error:
        raise refusal_of(error) from None


def _check_names(event: _Event) -> None:
    """Each call names its actor, and what it is about."""
    if not (_identifier(event.said, "userId") or _identifier(event.said, "anonymousId")):
        raise Refusal(Code.INVALID, "a userId or an anonymousId is required", ("userId",))
    match event.kind:
        case "track" if not _text(event.said.get("event")):
            raise Refusal(Code.INVALID, "is required", ("event",))
        case "group" if not _identifier(event.said, "groupId"):
            raise Refusal(Code.INVALID, "is required", ("groupId",))
        case "alias" if not _identifier(event.said, "previousId"):
            raise Refusal(Code.INVALID, "is required", ("previousId",))
        case "alias" if not _identifier(event.said, "userId"):
            raise Refusal(Code.INVALID, "is required", ("userId",))


def event_type(name: str) -> str:
    """The signal type of a tracked event's name, in snake_case: `Order Completed` → `order_completed`.

    Spellings of one name meet on purpose. Where letters were lost (other scripts) or cut, a hash of the name keeps
    different names apart. The name itself is kept in the property `$event`."""
    plain = unicodedata.normalize("NFKD", name.strip())
    if re.fullmatch(r"[A-Za-z0-9]+", plain):
        plain = re.sub(r"([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])", r"\1\3_\2", plain)
    word = re.sub(r"[^a-z0-9_.:-]+", "_", "".join(c for c in plain.lower() if not unicodedata.combining(c)))
    word = word.strip("_.:-")
    lost = any(c.isalnum() and not c.isascii() for c in plain)
    if word and not lost and len(word) <= 100:
        return word
    return f"{word[:91] or 'event'}_{hashlib.sha256(name.strip().encode()).hexdigest()[:8]}"


def _people(event: _Event) -> Iterator[Identity]:
    """The actor's names, surest first. An alias's `previousId` may be an older user id as well as an anonymous one:
    both are said, and the one that nobody has costs nothing."""
    user, previous = _identifier(event.said, "userId"), None
    if event.kind == "alias":
        previous = _identifier(event.said, "previousId")
    if user:
        yield Identity(IdentityKind.USER, user)
    for text in (*_addresses(event), user, previous):
        if email := work_email(text):
            yield Identity(IdentityKind.EMAIL, email)
    if previous:
        yield Identity(IdentityKind.USER, previous)
        yield Identity(IdentityKind.ANONYMOUS, previous)
    if anonymous := _identifier(event.said, "anonymousId"):
        yield Identity(IdentityKind.ANONYMOUS, anonymous)


def _addresses(event: _Event) -> Iterator[str | None]:
    """A group's traits are the group's, and who invites somebody is not whom the properties name."""
    if event.kind != "group":
        yield _text(event.traits.get("email"))
    yield _text(_map(event.context.get("traits")).get("email"))
    if event.kind != "track" or _ABOUT_OTHERS.isdisjoint(event_type(event.said["event"]).split("_")):
        yield _text(event.properties.get("email"))


def _groups(event: _Event) -> Iterator[Identity]:
    company = _map(_own_traits(event).get("company"))
    for holder, name in ((event.said, "groupId"), (event.context, "groupId"), (company, "id")):
        if group := _identifier(holder, name):
            yield Identity(IdentityKind.GROUP, group)


def _own_traits(event: _Event) -> dict[str, Any]:
    """What is said of the person: the context's traits and the call's own, unless those are a group's."""
    own = {} if event.kind == "group" else event.traits
    return {**_map(event.context.get("traits")), **own}


def _person(event: _Event) -> PersonTraits:
    traits = _own_traits(event)
    first, last = _text(traits.get("firstName")), _text(traits.get("lastName"))
    name = _text(traits.get("name"))
    if name and "@" not in name and not (first or last):
        first, _, last = name.partition(" ")
    return PersonTraits(
        first_name=_cut(first),
        last_name=_cut(last),
        title=_cut(_text(traits.get("title"))),
        phone=_cut(_text(traits.get("phone")), 50),
    )


def _company(event: _Event) -> CompanyTraits:
    company = event.traits if event.kind == "group" else _own_traits(event).get("company")
    if not isinstance(company, dict):
        return CompanyTraits(name=_cut(_text(company)))
    domain = _text(company.get("domain")) or _text(company.get("website"))
    return CompanyTraits(
        name=_cut(_text(company.get("name"))),
        domain=domain if domain and len(domain) <= MAX_ID else None,
        industry=_cut(_text(company.get("industry"))),
        employees=_count(company.get("employees", company.get("employee_count"))),
    )


def _properties(event: _Event) -> dict[str, Any]:
    """What is stored: the caller's own words, to which names starting with `$` are never theirs."""
    match event.kind:
        case "track":
            return {**event.properties, "$event": event.said["event"].strip()}
        case "page" | "screen":
            url = _map(event.context.get("page")).get("url") if event.kind == "page" else None
            spoken = {"name": event.said.get("name"), "category": event.said.get("category"), "url": url}
            return {name: text for name, text in spoken.items() if _text(text)} | event.properties
        case "alias":
            return {"previousId": _identifier(event.said, "previousId")}
        case _:
            return event.traits


def _occurred_at(event: _Event) -> datetime:
    """When it happened by our clock: receivedAt − (sentAt − originalTimestamp), and never in the future.

    An unreadable time, or one before 2000 as an unset clock gives, counts as missing."""
    said = event.said
    stamped = _moment(said.get("originalTimestamp")) or _moment(said.get("timestamp"))
    if stamped is None:
        return event.received_at
    sent = _moment(event.sent_at)
    late = sent - stamped if sent else event.received_at - stamped
    return max(EARLIEST, event.received_at - max(late, timedelta(0)))


def _moment(value: Any) -> datetime | None:
    """An ISO 8601 text, or seconds or milliseconds since 1970; without a zone it is UTC."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
        else:
            return None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment >= EARLIEST else None


def _identifier(holder: Mapping[str, Any], name: str) -> str | None:
    """An id as text; None where it names nobody. Refuses one that is too long to be looked up."""
    value = holder.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    text = str(value).strip()
    if _ZEROS.fullmatch(text) or text.lower() in _NOBODY:
        return None
    if len(text) > MAX_ID:
        raise Refusal(Code.INVALID, f"must have at most {MAX_ID} characters", (name,))
    return text


def _object(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object; null and PHP's empty list are an empty one."""
    value = holder.get(name) or {}
    if not isinstance(value, dict):
        raise Refusal(Code.INVALID, "must be a JSON object", (name,))
    return value


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _cut(text: str | None, length: int = 255) -> str | None:
    return text.strip()[:length] or None if text else None


def _count(value: Any) -> int | None:
    """A number of people, also as text (`"1,200"`); a range or nonsense is no number."""
    if isinstance(value, str) and re.fullmatch(r"[0-9][0-9,]{0,12}", value.strip()):
        value = int(value.replace(",", ""))
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 10_000_000:
        return None
    return int(value)


def _basic_key(credentials: str) -> str | None:
    try:
        decoded = base64.b64decode(credentials.strip() + "==", validate=False).decode()
    except (binascii.Error, ValueError):
        return None
    return _text(decoded.partition(":")[0])
