"""Companies and contacts in the schema."""
