"""What may happen to signals."""

from uuid import UUID

from app.core.events import Event


class SignalsCreated(Event, name="signal.created"):
    """Signals of one batch were stored; `companies` are those whose counters changed."""

    signals: tuple[UUID, ...]
    companies: tuple[UUID, ...]
