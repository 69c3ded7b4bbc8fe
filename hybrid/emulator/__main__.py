"""``python -m hybrid.emulator``: serve until told to end."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hybrid.emulator.server import ServeOptions, serve
from hybrid.errors import HybridError


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve. Ends with the error's exit code and its text when it cannot."""
    try:
        serve(ServeOptions(**vars(_parser().parse_args(arguments))))
    except HybridError as error:
        sys.stderr.write(f"{error.sentence()}\n")
        raise SystemExit(error.exit_code) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hybrid.emulator",
        description="Dagster+ embedded on this machine, for work without an account.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder for all that it keeps; made when missing")
    parser.add_argument("--port", type=_port, required=True, help="TCP port of the UI and the API; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--also-listen",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="another address of this machine to listen on, on the same port, such as the gateway of the containers' "
        "network; may be repeated. Browsers that come by it sign in",
    )
    parser.add_argument("--organization", default="local", help="the organization's name")
    parser.add_argument("--deployment", default="prod", help="the full deployment's name")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="allow another address than loopback; the UI then asks for the API token",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"'{text}' is no TCP port")
    return int(text)


if __name__ == "__main__":
    main()
