"""Connections to providers."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import BigInteger, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Entity, index, text_of


class ConnectionStatus(StrEnum):
    """Whether a connection takes what its provider sends."""

    ACTIVE = "ACTIVE"
    DISCONNECTED = "DISCONNECTED"


class ProviderConnection(Entity):
    """A tie to one provider account; its secret is sealed."""

    __tablename__ = "connections"
    prefix: ClassVar[str] = "connection"

    provider: Mapped[str] = text_of(40, doc="The provider's short name, such as `github`.")
    status: Mapped[ConnectionStatus] = mapped_column(default=ConnectionStatus.ACTIVE, doc="Whether it is in use.")
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    received_count: Mapped[int] = mapped_column(
        BigInteger, default=0, server_default=text("0"), doc="How many deliveries it has taken."
    )
    last_received_at: Mapped[datetime | None] = mapped_column(doc="When the last delivery came.")

    __table_args__ = (index("provider", "id"),)
