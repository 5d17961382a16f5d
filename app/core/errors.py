"""What a caller can mend: a Refusal with a handful of codes. Anything else that is raised is a bug."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The kind of a refusal; the same words in GraphQL, HTTP problem details and job rows."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    TAKEN = "TAKEN"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    TOO_LARGE = "TOO_LARGE"
    CURSOR_INVALID = "CURSOR_INVALID"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    RATE_LIMITED = "RATE_LIMITED"
    UNAVAILABLE = "UNAVAILABLE"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: `path` names the field from the input's root."""

    code: Code
    message: str
    path: tuple[str | int, ...] = ()

    def under(self, *prefix: str | int) -> "Problem":
        return Problem(self.code, self.message, (*prefix, *self.path))


class Refusal(Exception):
    """Refuses a request for reasons its sender can mend; nothing of it was kept.

    `retry_after`: the seconds after which the same request may go well, where time is what it wants."""

    def __init__(
        self, code: Code, message: str, path: tuple[str | int, ...] = (), *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(code, message, path),)
        self.retry_after = retry_after

    @property
    def code(self) -> Code:
        return self.problems[0].code

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> "Refusal":
        """A refusal for several reasons at once; `problems` is not empty."""
        refusal = cls(problems[0].code, problems[0].message, problems[0].path)
        refusal.problems = tuple(problems)
        return refusal

    def under(self, *prefix: str | int) -> "Refusal":
        """The same refusal seen from further out: each path starts with `prefix`."""
        return Refusal.of([problem.under(*prefix) for problem in self.problems])
