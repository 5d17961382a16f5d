"""Contacts: an upsert finds one by its e-mail address."""

from app.crm.events import CONTACT_EVENTS
from app.crm.models import Contact
from app.crm.records import ContactPatch
from app.crm.verbs import Verbs

contacts = Verbs(Contact, ContactPatch, CONTACT_EVENTS, "email")
