"""What runs without a client: the relay, the workers, the schedule."""
