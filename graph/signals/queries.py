"""Asking for signals and identities."""

import strawberry

from app.identity.permissions import Permission
from app.signals.queries import IDENTITY_LIST, SIGNAL_LIST
from graph.core.aggregates import aggregate
from graph.core.fields import listing, one

_READ = Permission.SIGNALS_READ


@strawberry.type
class Query:
    signal = one(SIGNAL_LIST, _READ, "The signal with this id; null where there is none.")
    signals = listing(SIGNAL_LIST, _READ, "The signals, newest first unless ordered otherwise.")
    signals_aggregate = aggregate(SIGNAL_LIST, _READ, "What the signals come to, as a whole and by groups.")
    identities = listing(IDENTITY_LIST, _READ, "The names that people and companies are known by, newest first.")
    identities_aggregate = aggregate(IDENTITY_LIST, _READ, "What the names come to, as a whole and by groups.")
