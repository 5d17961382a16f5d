"""Real PostgreSQL and Valkey from wheels, for `devsignal up` and the tests; production has its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.embedded.leash import Leash
from app.core.embedded.place import EngineError, Place, claim
from app.core.embedded.postgres import PostgresServer
from app.core.embedded.valkey import ValkeyServer

__all__ = ["EngineError", "Engines", "Leash", "Place", "PostgresServer", "ValkeyServer", "claim", "engines"]


@dataclass(frozen=True)
class Engines:
    database_url: str  # of the superuser
    redis_url: str


@contextmanager
def engines(data_dir: Path, *, durable: bool = True) -> Iterator[Engines]:
    """Both engines for as long as the block runs; refuses a data folder that is in use.

    `durable=False` is for tests: nothing is flushed to disk, and all data is gone afterwards.
    """
    with ExitStack() as stack:
        lock = stack.enter_context(claim(data_dir))
        place = Place(data_dir)
        leash = stack.enter_context(Leash(lock))
        servers = [PostgresServer(place, leash, durable=durable), ValkeyServer(place, leash, durable=durable)]
        if not durable:
            for server in servers:
                server.stop()
            place.remove()
            place = Place(data_dir)
            servers = [PostgresServer(place, leash, durable=False), ValkeyServer(place, leash, durable=False)]
            stack.callback(place.remove)
        for server in servers:
            stack.callback(server.stop)
            server.start()
        yield Engines(database_url=servers[0].url, redis_url=servers[1].url)
