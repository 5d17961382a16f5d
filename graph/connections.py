"""The connections of the web process: how many there may be, and the end of those that never read or never leave."""

import asyncio
import resource
from collections import Counter
from dataclasses import dataclass, field

from graph.core.asker import network_of

SWEEP_SECONDS = 5.0
STALLED_SWEEPS = 12
CLOSING_SWEEPS = 2


@dataclass(slots=True)
class _Held:
    """A connection: where it comes from, and for how many sweeps its unsent bytes have not become fewer."""

    address: str
    unsent: int = 0
    stalled: int = 0


@dataclass(slots=True)
class Connections:
    """All open ones. An address that is trusted (a proxy of ours) may have any share of them."""

    maximum: int
    address_maximum: int
    trusted: frozenset[str] = frozenset()
    _open: dict[asyncio.Transport, _Held] = field(default_factory=dict)
    _of_address: Counter[str] = field(default_factory=Counter)

    def admit(self, transport: asyncio.Transport) -> bool:
        """Holds the connection; False where there is no room for it."""
        peer = transport.get_extra_info("peername")
        host = peer[0] if isinstance(peer, tuple) else ""
        address = network_of(host)
        if len(self._open) >= self.maximum:
            return False
        if self._of_address[address] >= self.address_maximum and host not in self.trusted:
            return False
        self._open[transport] = _Held(address)
        self._of_address[address] += 1
        return True

    def release(self, transport: asyncio.Transport) -> None:
        held = self._open.pop(transport, None)
        if held is None:
            return
        self._of_address[held.address] -= 1
        if not self._of_address[held.address]:
            del self._of_address[held.address]

    async def keep_swept(self) -> None:
        """Looks after the connections until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """Ends connections whose other side has read nothing for a minute, or for ten seconds after we closed it."""
        for transport, held in list(self._open.items()):
            unsent = transport.get_write_buffer_size()
            held.stalled = held.stalled + 1 if unsent and unsent == held.unsent else 0
            held.unsent = unsent
            if held.stalled >= (CLOSING_SWEEPS if transport.is_closing() else STALLED_SWEEPS):
                transport.abort()


def raise_file_limit(wanted: int) -> None:
    """Lets the process hold that many files open, as far as the system lets it: a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
