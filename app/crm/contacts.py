"""Contacts: an upsert finds one by its e-mail address."""

from app.crm.events import ContactCreated, ContactDeleted, ContactRestored, ContactUpdated
from app.crm.models import Contact
from app.crm.records import ContactPatch
from app.crm.verbs import Verbs

contacts = Verbs(Contact, ContactPatch, "email", ContactCreated, ContactUpdated, ContactDeleted, ContactRestored)
