"""What goes wrong when an engine is away or overrun: the loops note it and go on."""

import asyncpg
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

TROUBLE = (
    SQLAlchemyError,
    RedisError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
STEP_SECONDS = 20.0
"""An engine that neither answers nor refuses is given up after that; connections of the step are thrown away."""
