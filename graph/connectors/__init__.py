"""Connections to providers in the schema."""
