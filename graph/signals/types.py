"""Signals and identities as a client sees them."""

from strawberry import auto

from app.crm.queries import COMPANY_LIST, CONTACT_LIST
from app.identity.permissions import Permission
from app.signals.models import Identity as IdentityModel
from app.signals.models import Rule
from app.signals.models import Signal as SignalModel
from app.signals.queries import IDENTITY_LIST, SIGNAL_LIST
from graph.core.enums import choice
from graph.core.fields import relation
from graph.core.node import Node, entity

choice(Rule, "MatchRule")


@entity(SignalModel, permission=Permission.SIGNALS_READ, fetch=SIGNAL_LIST.every)
class Signal(Node):
    type: auto
    source: auto
    occurred_at: auto
    received_at: auto
    properties: auto
    contact_rule: auto
    company_rule: auto
    identity = relation("identity_id", IDENTITY_LIST, "The name its actor went by.")
    contact = relation("contact_id", CONTACT_LIST, "The person it was matched to.")
    company = relation("company_id", COMPANY_LIST, "The company it was matched to.")


@entity(IdentityModel, permission=Permission.SIGNALS_READ, fetch=IDENTITY_LIST.every)
class Identity(Node):
    kind: auto
    value: auto
    rule: auto
    confidence: auto
    linked_at: auto
    created_at: auto
    contact = relation("contact_id", CONTACT_LIST, "The person it belongs to.")
    company = relation("company_id", COMPANY_LIST, "The company it belongs to.")
