"""Records: what may be said about an entity, checked once and used by every door."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NewType, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from app.core.errors import Code, Problem, Refusal

MAX_JSON_DEPTH = 32
MAX_JSON_BYTES = 64 * 1024


def _storable(text: str) -> str:
    """PostgreSQL stores neither NUL nor lone surrogates."""
    if "\x00" in text:
        raise PydanticCustomError("nul", "must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("surrogate", "must be valid Unicode: it has a lone surrogate") from None
    return text


def storable_json(value: Any, depth: int = 0) -> Any:
    if depth > MAX_JSON_DEPTH:
        raise PydanticCustomError("depth", f"must not be nested deeper than {MAX_JSON_DEPTH} levels")
    if isinstance(value, str):
        _storable(value)
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise PydanticCustomError("big", "must hold whole numbers of at most 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("infinite", "must hold finite numbers")
    elif isinstance(value, dict):
        for key, item in value.items():
            _storable(key)
            storable_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            storable_json(item, depth + 1)
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_storable)]
Line = Annotated[Text, StringConstraints(max_length=255)]
LongText = Annotated[Text, StringConstraints(max_length=20_000)]


BigNumber = NewType("BigNumber", int)
"""A whole number that 32 bits may not hold."""


def _not_too_large(value: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(value)) > MAX_JSON_BYTES:
        raise PydanticCustomError("large", f"must be at most {MAX_JSON_BYTES} bytes of JSON")
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(storable_json), AfterValidator(_not_too_large)]


class Record(BaseModel):
    """Base of all records. Fields are snake_case here and camelCase outside; unknown ones are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
    )

    required: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def say(cls, values: Mapping[str, Any]) -> Self:
        """A record from loose values; a `Refusal` with one problem per field that does not fit."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise refusal_of(error) from None

    def said(self) -> dict[str, Any]:
        """The fields that were given, with their values: a patch tells absent from null."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Patch(Record):
    """A record of which any part may be left out: absent keeps, null clears.

    A subclass names in `required` the fields that must not be cleared."""

    @classmethod
    def say(cls, values: Mapping[str, Any]) -> Self:
        patch = super().say(values)
        cleared = sorted(name for name, value in patch.said().items() if value is None and name in cls.required)
        if cleared:
            raise Refusal.of([Problem(Code.INVALID, "must not be null", (to_camel(name),)) for name in cleared])
        return patch


def refusal_of(error: ValidationError) -> Refusal:
    return Refusal.of([_problem(detail) for detail in error.errors(include_url=False, include_context=False)])


def _problem(detail: ErrorDetails) -> Problem:
    *above, last = detail["loc"] or ("",)
    known = detail["type"] != "extra_forbidden"
    path = (*map(_spelled, above), _spelled(last) if known else last)
    return Problem(Code.INVALID, _sentence(detail), path if detail["loc"] else ())


def _spelled(part: str | int) -> str | int:
    return to_camel(part) if isinstance(part, str) else part


def _sentence(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a known field"
        case _:
            message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
            return (message[:1].lower() + message[1:]).replace("should ", "must ", 1)
