"""What is true: the rules and data of DevSignal, with no transport and no process."""
