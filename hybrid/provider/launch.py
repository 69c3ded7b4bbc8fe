"""What the supervisor starts: clears what an earlier start left behind, then becomes the program itself.

Run as ``python -m hybrid.provider.launch`` with the process's folder in ``HYBRID_PROCESS``. What to run lies in
``launch.json`` there and not in arguments, so that neither the supervisor's expansions nor a process list sees it.
It ends in exec: the pid that the supervisor watches is the program's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from hybrid.provider import family


def main() -> None:
    directory = Path(os.environ[family.MARKER])
    plan = json.loads((directory / "launch.json").read_text(encoding="utf-8"))
    own = {os.getpid(), os.getppid()}
    family.end(family.leftovers(directory, plan["leftoverCommands"], but=own), graceful_seconds=2.0)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUPERVISOR_")}
    environment |= plan["environment"]
    environment[family.MARKER] = str(directory)
    family.record_program(directory)
    command = plan["command"]
    try:
        os.chdir(plan["workingDirectory"])
        os.execvpe(command[0], command, environment)  # noqa: S606 - a list, no shell
    except OSError as error:
        sys.exit(f"cannot run {command[0]} in {plan['workingDirectory']}: {error.strerror}")


if __name__ == "__main__":
    main()
