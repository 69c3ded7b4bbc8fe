"""`python -m tests.containers up [--export] | status | down [--purge] | official`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from tests.containers import stand
from tests.containers.home import ContainersError, Home


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.containers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="stand up an engine, a registry and a base image")
    up.add_argument("--export", action="store_true", help='print shell exports: eval "$(… up --export)"')
    down = commands.add_parser("down", help="remove what was stood up")
    down.add_argument("--purge", action="store_true", help="also the data: images, layers")
    commands.add_parser("status", help="show what stands")
    commands.add_parser("official", help="show whether Pulumi's own docker plugin is installed")
    given = parser.parse_args()
    environ = dict(os.environ)
    try:
        return _done(given, Home.of(environ), environ)
    except ContainersError as error:
        print(error, file=sys.stderr)
        return 1


def _done(given: argparse.Namespace, home: Home, environ: dict[str, str]) -> int:
    match given.command:
        case "up":
            found = stand.up(home, environ)
            if given.export:
                for name, value in found.exported().items():
                    print(f"export {name}={shlex.quote(value)}")
            else:
                print(_sentence(found))
        case "down":
            print("Removed " + (", ".join(stand.down(home, environ, purge=given.purge)) or "nothing") + ".")
        case "status":
            standing = stand.standing(home, environ)
            print(_sentence(standing) if standing else "Nothing stands.")
            return 0 if standing else 3
        case _:
            version = stand.official_docker_plugin(environ)
            print(
                f"Pulumi's docker plugin {version} is installed." if version else "The stand-in: tests/standins/docker."
            )
    return 0


def _sentence(found: stand.Containers) -> str:
    way = "started here" if found.started else "found"
    return (
        f"Docker engine {found.engine}, {way}, at {found.environ['DOCKER_HOST']}; "
        f"registry {found.registry}, user {found.username}; {found.python_image}."
    )


if __name__ == "__main__":
    raise SystemExit(main())
