"""What may be done, and which role may do it."""

from enum import StrEnum


class Permission(StrEnum):
    """One thing that a person's role or an API key's scope allows."""

    ORGANIZATION_READ = "ORGANIZATION_READ"
    ORGANIZATION_UPDATE = "ORGANIZATION_UPDATE"
    API_KEYS_MANAGE = "API_KEYS_MANAGE"
    CRM_READ = "CRM_READ"
    CRM_WRITE = "CRM_WRITE"
    SIGNALS_READ = "SIGNALS_READ"
    SIGNALS_WRITE = "SIGNALS_WRITE"
    SCORES_READ = "SCORES_READ"
    CONNECTIONS_READ = "CONNECTIONS_READ"
    CONNECTIONS_MANAGE = "CONNECTIONS_MANAGE"
    JOBS_READ = "JOBS_READ"
    JOBS_MANAGE = "JOBS_MANAGE"


class Role(StrEnum):
    """A member's role; each one may do all that the next one may."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MEMBER = "MEMBER"
    VIEWER = "VIEWER"


_VIEWER = frozenset(
    {
        Permission.ORGANIZATION_READ,
        Permission.CRM_READ,
        Permission.SIGNALS_READ,
        Permission.SCORES_READ,
        Permission.CONNECTIONS_READ,
    }
)
_MEMBER = _VIEWER | {Permission.CRM_WRITE, Permission.SIGNALS_WRITE}
_ADMIN = _MEMBER | {
    Permission.ORGANIZATION_UPDATE,
    Permission.API_KEYS_MANAGE,
    Permission.CONNECTIONS_MANAGE,
    Permission.JOBS_READ,
    Permission.JOBS_MANAGE,
}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _ADMIN,
    Role.ADMIN: _ADMIN,
    Role.MEMBER: _MEMBER,
    Role.VIEWER: _VIEWER,
}

PERSONAL = frozenset({Permission.API_KEYS_MANAGE})
"""What only a signed-in person may do, whatever the scopes of a key say."""
