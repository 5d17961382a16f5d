"""Segment's Tracking API (`/v1/track` … `/v1/batch`) as observations.

Follows the public specification: explicit nulls and unknown keys are accepted, a batch's `context` is the
default of its events', an event that cannot be used is dropped with a `Problem` while the others are kept."""

import base64
import hashlib
import re
import unicodedata
from collections import ChainMap
from collections.abc import Iterator, Mapping
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

MAX_EVENT_BYTES = 32 * 1024
MAX_BATCH = 2_500
MAX_ID = 255

# What a call is stored as, where not as its own name: a `track` is stored as its event's.
TYPES = {"page": "page_view", "screen": "screen_view"}
_CALLS = ("track", "identify", "page", "screen", "group", "alias")
_REQUIRED = {"group": ("groupId",), "alias": ("previousId", "userId")}

# What broken clients send for an id, in lower case. Taken for a person, it would join strangers.
_NOBODY = frozenset(
    {
        *("null", "(null)", "nil", "none", "undefined", "nan", "[object object]", "true", "false", "unknown"),
        *("anonymous", "guest", "distinctid", "distinct_id", "id", "email", "not_authenticated", "n/a", "na"),
    }
)
_ZEROS = re.compile(r"[0\s.-]*")
# Types of events in whose properties the address is another person's.
_ABOUT_OTHERS = re.compile(r"(?:^|_)(?:invit|refer|shar[ei]|member|teammate|collaborator|recipient|sent|forward)")
_json_object = TypeAdapter[dict[str, Any]](JsonObject)


@dataclass(frozen=True, slots=True)
class _Event:
    """One event of any kind. `person` is what is said of its actor: the call's traits, unless they are a
    group's, before those of the context."""

    kind: str
    type: str
    said: Mapping[str, Any]
    context: Mapping[str, Any]
    properties: dict[str, Any]
    traits: dict[str, Any]
    person: Mapping[str, Any]


def write_key(authorization: str | None, body: Any) -> str | None:
    """The write key, from where an SDK puts it: Basic (with or without the colon), Bearer, or the body."""
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    key = {"basic": _basic_key(credentials), "bearer": _text(credentials)}.get(scheme.lower())
    return key or _text(_map(body).get("writeKey"))


def observations(call: str, body: Any, received_at: datetime) -> list[Observation | Problem]:
    """What the decoded body of `/v1/{call}` observed, in its order; `received_at` is aware.

    A problem's path starts at the body's root. Refuses a body that is no object, a batch that is no list, one
    of more than 2,500 events, and a shared context that no event could have."""
    if not isinstance(body, dict):
        raise Refusal(Code.INVALID, "must be a JSON object")
    if call != "batch":
        return [_observation(call, body, {}, received_at)]
    events = body.get("batch")
    if not isinstance(events, list):
        raise Refusal(Code.INVALID, "must be a list of events", ("batch",))
    if len(events) > MAX_BATCH:
        raise Refusal(Code.TOO_LARGE, f"must have at most {MAX_BATCH} events", ("batch",))
    if problem := _storing_problem(_map(body.get("context"))):
        raise Refusal.of([problem.under("context")])
    results = [_observation(_map(said).get("type"), said, body, received_at) for said in events]
    return [row.under("batch", i) if isinstance(row, Problem) else row for i, row in enumerate(results)]


def _observation(call: Any, said: Any, around: Mapping[str, Any], received_at: datetime) -> Observation | Problem:
    """One event; `around` is the batch it came in, whose context and `sentAt` it shares."""
    if not isinstance(said, dict):
        return Problem(Code.INVALID, "must be a JSON object")
    if call not in _CALLS:
        return Problem(Code.INVALID, f"must be one of {', '.join(_CALLS)}", ("type",))
    if problem := _storing_problem(said):
        return problem
    try:
        event = _event(call, said, _map(around.get("context")))
        return Observation(
            type=event.type,
            source="segment",
            occurred_at=_occurred_at(said, said.get("sentAt") or around.get("sentAt"), received_at),
            key=_identifier(said, "messageId"),
            people=tuple(dict.fromkeys(_people(event))),
            groups=tuple(dict.fromkeys(_groups(event))),
            person=_person(event),
            company=_company(event),
            properties=_properties(event),
        )
    except Refusal as refusal:
        return refusal.problems[0]


def _event(call: str, said: dict[str, Any], shared: dict[str, Any]) -> _Event:
    """The event in parts; refuses one that does not name its actor, or what it is about."""
    if not (_identifier(said, "userId") or _identifier(said, "anonymousId")):
        raise Refusal(Code.INVALID, "or an anonymousId is required", ("userId",))
    if call == "track" and not _text(said.get("event")):
        raise Refusal(Code.INVALID, "is required", ("event",))
    for name in _REQUIRED.get(call, ()):
        if not _identifier(said, name):
            raise Refusal(Code.INVALID, "is required", (name,))
    context, traits = ChainMap(_given(said.get("context")), shared), _object(said, "traits")
    own = {} if call == "group" else _given(traits)
    person = ChainMap(own, _map(context.get("traits")))
    type_ = event_type(said["event"]) if call == "track" else TYPES.get(call, call)
    return _Event(call, type_, said, context, _object(said, "properties"), traits, person)


def _storing_problem(value: dict[str, Any]) -> Problem | None:
    """Why the value cannot be stored: NUL, lone surrogates, nesting, big numbers, or more than 32 KB."""
    try:
        size = len(orjson.dumps(_json_object.validate_python(value)))
    except ValidationError as error:
        return Problem(Code.INVALID, refusal_of(error).problems[0].message)
    except TypeError:
        return Problem(Code.INVALID, "must hold whole numbers of at most 64 bits")
    return Problem(Code.TOO_LARGE, "must be at most 32 KB") if size > MAX_EVENT_BYTES else None


def event_type(name: str) -> str:
    """The signal type of a tracked event's name, in snake_case: `Order Completed` → `order_completed`.

    Spellings of one name meet on purpose. Where letters were lost (other scripts) or cut, a hash of the name
    keeps different names apart. The name itself is kept in the property `$event`."""
    plain = unicodedata.normalize("NFKD", name.strip())
    if re.fullmatch(r"[A-Za-z0-9]+", plain):
        plain = re.sub(r"([a-z0-9])(?=[A-Z])|([A-Z])(?=[A-Z][a-z])", r"\1\2_", plain)
    bare = "".join(char for char in plain.lower() if not unicodedata.combining(char))
    word = re.sub(r"[^a-z0-9_.:-]+", "_", bare).strip("_.:-")
    lost = any(char.isalnum() and not char.isascii() for char in bare)
    if word and not lost and len(word) <= 100:
        return word
    return f"{word[:91] or 'event'}_{hashlib.sha256(name.strip().encode()).hexdigest()[:8]}"


def _people(event: _Event) -> Iterator[Identity]:
    """The actor's names, surest first. An alias's `previousId` may be an older user id as well as an
    anonymous one: both are said, and the one that nobody goes by costs nothing."""
    user = _identifier(event.said, "userId")
    previous = _identifier(event.said, "previousId") if event.kind == "alias" else None
    if user:
        yield Identity(IdentityKind.USER, user)
    for email in (*_addresses(event, user), work_email(previous)):
        if email:
            yield Identity(IdentityKind.EMAIL, email)
    if previous:
        yield Identity(IdentityKind.USER, previous)
        yield Identity(IdentityKind.ANONYMOUS, previous)
    if anonymous := _identifier(event.said, "anonymousId"):
        yield Identity(IdentityKind.ANONYMOUS, anonymous)


def _addresses(event: _Event, user: str | None) -> Iterator[str | None]:
    """The actor's address by its traits and its id; by the event's properties only where neither tells, since
    those also speak of others: of who is invited, or who is billed."""
    known = [work_email(_text(event.person.get("email"))), work_email(user)]
    yield from known
    if not any(known) and not _ABOUT_OTHERS.search(event.type):
        yield work_email(_text(event.properties.get("email")))


def _groups(event: _Event) -> Iterator[Identity]:
    company = _map(event.person.get("company"))
    for holder, name in ((event.said, "groupId"), (event.context, "groupId"), (company, "id")):
        if group := _identifier(holder, name):
            yield Identity(IdentityKind.GROUP, group)


def _person(event: _Event) -> PersonTraits:
    traits = event.person
    first, last = (_text(traits.get(name)) for name in ("firstName", "lastName"))
    name = _text(traits.get("name"))
    if name and "@" not in name and not (first or last):
        first, _, last = name.partition(" ")
    title, phone = _text(traits.get("title")), _text(traits.get("phone"), 50)
    return PersonTraits(first_name=_text(first), last_name=_text(last), title=title, phone=phone)


def _company(event: _Event) -> CompanyTraits:
    company = event.traits if event.kind == "group" else event.person.get("company")
    if not isinstance(company, dict):
        return CompanyTraits(name=_text(company))
    return CompanyTraits(
        name=_text(company.get("name")),
        domain=_text(company.get("domain")) or _text(company.get("website")),
        industry=_text(company.get("industry")),
        employees=_count(company.get("employees") or company.get("employee_count")),
    )


def _properties(event: _Event) -> dict[str, Any]:
    """What is stored: the caller's own words, and of the call what they leave out."""
    match event.kind:
        case "track":
            return {**event.properties, "$event": _text(event.said["event"])}
        case "page" | "screen":
            url = _map(event.context.get("page")).get("url")
            around = {"name": event.said.get("name"), "category": event.said.get("category"), "url": url}
            return {name: text for name, text in around.items() if _text(text)} | event.properties
        case "alias":
            return {"previousId": _identifier(event.said, "previousId")}
        case _:
            return event.traits


def _occurred_at(said: Mapping[str, Any], sent_at: Any, received_at: datetime) -> datetime:
    """When it happened by our clock: receivedAt - (sentAt - originalTimestamp), and never in the future.

    A time that cannot be read, or is before 2000 as an unset clock's, counts as missing."""
    stamped = _moment(said.get("originalTimestamp")) or _moment(said.get("timestamp"))
    if stamped is None:
        return received_at
    late = max((_moment(sent_at) or received_at) - stamped, timedelta(0))
    return received_at - late if late <= received_at - EARLIEST else received_at


def _moment(value: Any) -> datetime | None:
    """An ISO 8601 text, or seconds or milliseconds since 1970; without a zone it is UTC."""
    try:
        if isinstance(value, str) and not re.fullmatch(r"\d{10}|\d{13}", value):
            moment = datetime.fromisoformat(value.strip())
        else:
            number = float(value)
            moment = datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return moment if moment >= EARLIEST else None


def _identifier(holder: Mapping[str, Any], name: str) -> str | None:
    """An id as text; None where it names nobody. Refuses one that is too long to be looked up."""
    value = holder.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip() if isinstance(value, str | int | float) else ""
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


def _given(value: Any) -> dict[str, Any]:
    """What is not null of an object, so that null does not hide a default."""
    return {name: item for name, item in _map(value).items() if item is not None}


def _text(value: Any, length: int = 255) -> str | None:
    return value.strip()[:length].strip() or None if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    """A number of people, also as text (`"1,200"`); a range or nonsense is no number."""
    text = str(value).replace(",", "").strip() if isinstance(value, str | int | float) else ""
    known = re.fullmatch(r"([0-9]{1,8})(?:\.0)?", text)
    return min(int(known[1]), 10_000_000) if known else None


def _basic_key(credentials: str) -> str | None:
    try:
        return _text(base64.b64decode(credentials.strip() + "==").decode().partition(":")[0])
    except ValueError:
        return None
