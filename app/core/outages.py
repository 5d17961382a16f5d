"""Outages: errors that say an engine is away, full or overrun, so that the same request may go well a little later."""

import asyncpg
import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.errors import Code, Refusal

RETRY_AFTER_SECONDS = 2
_log = structlog.get_logger(__name__)

_AWAY = (
    ConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    PoolTimeoutError,
    TimeoutError,
    RedisConnectionError,
    RedisTimeoutError,
    OutOfMemoryError,
    ReadOnlyError,
)
_CANNOT_SAVE = "MISCONF"
"""How Valkey begins to say that its disk is full: the driver has no class for that."""


def as_refusal(error: BaseException | None) -> Refusal | None:
    """The refusal that an engine's trouble stands for: UNAVAILABLE where trying again helps, TIMEOUT for a statement
    that ran into its limit, None for what is no trouble of an engine."""
    cause = _driver_error(error)
    if isinstance(cause, asyncpg.QueryCanceledError | asyncpg.TransactionTimeoutError):
        return Refusal(Code.TIMEOUT, "this took too long and was stopped: ask for less")
    if is_away(cause):
        _log.warning("engine.trouble", error=f"{type(cause).__name__}: {cause}"[:300])
        return Refusal(
            Code.UNAVAILABLE, "the service is busy or restarting: try again shortly", retry_after=RETRY_AFTER_SECONDS
        )
    return None


def is_away(error: BaseException | None) -> bool:
    """Whether an engine cannot do anything just now, whatever it is asked."""
    cause = _driver_error(error)
    return isinstance(cause, _AWAY) or (isinstance(cause, ResponseError) and str(cause).startswith(_CANNOT_SAVE))


def _driver_error(error: BaseException | None) -> BaseException | None:
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error
