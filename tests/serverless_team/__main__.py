"""`python -m tests.serverless_team FOLDER [--port 4610]`: serves the organization until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tests.serverless_team.organization import served


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.serverless_team", description=__doc__)
    parser.add_argument("folder", type=Path, help="made for it; it may not be there")
    parser.add_argument("--port", type=int, default=4610)
    given, options = parser.parse_known_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        given.folder.mkdir(parents=True)
        with served(given.folder, given.port, _say, *options or ("--serverless-departure", "0")) as team:
            _say(
                f"{team.url} serves the organization acme; the team's repository is {team.repository}. Ctrl-C ends it."
            )
            signal.pause()
    except FileExistsError:
        _say(f"{given.folder} is there already: name another, or remove it.")
        return 2
    except RuntimeError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
