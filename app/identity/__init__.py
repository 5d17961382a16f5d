"""Who is asking, for which organization, and what they may do."""
