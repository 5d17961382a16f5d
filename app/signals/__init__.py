"""What developers did: ingest, identity resolution, daily counters."""
