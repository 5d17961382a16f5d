"""`python -m app.cli` is the `devsignal` command."""

from app.cli.main import main

main()
