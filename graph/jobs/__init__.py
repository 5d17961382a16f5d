"""Background work in the schema."""
