"""Signals in the schema: sending them, asking for them, watching them arrive."""
