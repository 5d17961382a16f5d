"""Accounts, organizations and API keys in the schema."""
