"""`python -m graph serve` runs the web process; `python -m graph schema` prints the schema."""

import argparse
import sys

from graph.schema import sdl


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m graph")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("schema", help="print the GraphQL schema")
    serve = commands.add_parser("serve", help="run the web process")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    if arguments.command == "schema":
        sys.stdout.write(sdl())


if __name__ == "__main__":
    main()
