"""The `devsignal` command: starts the processes, migrates, checks; holds no rules."""
