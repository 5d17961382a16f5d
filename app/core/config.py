"""One frozen Settings, read once from the environment; contradictions are refused at boot."""

import base64
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.beat import FILE_VARIABLE

DEVELOPMENT_SECRET = base64.urlsafe_b64encode(b"devsignal-development-secret-key").decode()


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """Every setting of every process. `.env.example` explains each one to an operator."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    environment: Environment = Field(Environment.DEVELOPMENT, validation_alias="DEVSIGNAL_ENV")
    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    database_migration_url: SecretStr | None = Field(None, validation_alias="DATABASE_MIGRATION_URL")
    redis_url: SecretStr = Field(validation_alias="REDIS_URL")
    secret_key: SecretStr = Field(SecretStr(DEVELOPMENT_SECRET), validation_alias="DEVSIGNAL_SECRET_KEY")
    public_url: str = Field("http://127.0.0.1:8000", validation_alias="DEVSIGNAL_PUBLIC_URL")
    allowed_origins: str = Field("", validation_alias="DEVSIGNAL_ALLOWED_ORIGINS")
    log_level: str = Field("INFO", validation_alias="DEVSIGNAL_LOG_LEVEL")
    database_pool_size: int = Field(10, ge=1, le=200, validation_alias="DEVSIGNAL_DATABASE_POOL_SIZE")
    statement_timeout_ms: int = Field(5_000, ge=100, le=600_000, validation_alias="DEVSIGNAL_STATEMENT_TIMEOUT_MS")
    worker_threads: int = Field(8, ge=1, le=64, validation_alias="DEVSIGNAL_WORKER_THREADS")
    job_lease_seconds: int = Field(10, ge=1, le=3_600, validation_alias="DEVSIGNAL_JOB_LEASE_SECONDS")
    job_limit_seconds: int = Field(300, ge=1, le=86_400, validation_alias="DEVSIGNAL_JOB_LIMIT_SECONDS")
    beat_file: Path | None = Field(None, validation_alias=FILE_VARIABLE)
    frozen_after_seconds: int = Field(60, ge=2, le=3_600, validation_alias="DEVSIGNAL_FROZEN_AFTER_SECONDS")
    trusted_proxies: str = Field("", validation_alias="DEVSIGNAL_TRUSTED_PROXIES")
    request_rate: int = Field(300, ge=1, le=1_000_000, validation_alias="DEVSIGNAL_REQUEST_RATE")
    cost_rate: int = Field(20_000, ge=1_000, le=1_000_000_000, validation_alias="DEVSIGNAL_COST_RATE")
    address_request_rate: int = Field(1_000, ge=1, le=1_000_000, validation_alias="DEVSIGNAL_ADDRESS_REQUEST_RATE")
    max_requests_at_once: int = Field(1_000, ge=1, le=100_000, validation_alias="DEVSIGNAL_MAX_REQUESTS_AT_ONCE")
    max_connections: int = Field(10_000, ge=10, le=1_000_000, validation_alias="DEVSIGNAL_MAX_CONNECTIONS")
    max_address_connections: int = Field(2_000, ge=1, validation_alias="DEVSIGNAL_MAX_ADDRESS_CONNECTIONS")
    max_streams: int = Field(2_000, ge=1, validation_alias="DEVSIGNAL_MAX_STREAMS")
    max_body_bytes: int = Field(
        4 * 1024 * 1024, ge=64 * 1024, le=64 * 1024 * 1024, validation_alias="DEVSIGNAL_MAX_BODY_BYTES"
    )

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if not self._has_good_secret():
            raise ValueError("DEVSIGNAL_SECRET_KEY must be at least 32 bytes in URL-safe base64")
        if self.environment is Environment.PRODUCTION:
            if self.secret_key.get_secret_value() == DEVELOPMENT_SECRET:
                raise ValueError("DEVSIGNAL_SECRET_KEY must be set to a value of your own in production")
            if urlsplit(self.public_url).scheme != "https":
                raise ValueError("DEVSIGNAL_PUBLIC_URL must be an https address in production")
        return self

    def _has_good_secret(self) -> bool:
        try:
            return len(self.secret_bytes) >= 32
        except ValueError:
            return False

    @property
    def secret_bytes(self) -> bytes:
        value = self.secret_key.get_secret_value()
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))

    @property
    def migration_url(self) -> str:
        """The address of the role that owns the schema; the server's own where none is given."""
        return (self.database_migration_url or self.database_url).get_secret_value()

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(origin.strip() for origin in self.allowed_origins.split(",") if origin.strip())


@cache
def settings() -> Settings:
    """The process's settings; a missing or contradictory one raises `pydantic.ValidationError`."""
    return Settings()
