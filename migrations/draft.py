"""`python -m migrations.draft "add teams"`: a migration from how the models differ from the last one."""

import sys

from alembic import command

from migrations.throw_away import migrated


def main() -> None:
    message = " ".join(sys.argv[1:]).strip()
    if not message:
        sys.exit('Say what the migration does: make migration NAME="add teams"')
    with migrated() as config:
        command.revision(config, message=message, autogenerate=True)


if __name__ == "__main__":
    main()
