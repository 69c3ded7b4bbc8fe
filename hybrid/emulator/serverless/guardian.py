"""``python -m hybrid.emulator.serverless.guardian COMMAND…``: run a command for as long as its parent lives.

The parent holds the other end of standard input. One byte there ends the command gently; the end of the file, which
comes with the parent's death, however it dies, ends at once whatever is left of the command and of its children. So
does the command's own end. All are one process group, whose leader this process has to be; the command itself also
dies with this process (Linux).

Rests on: ``client``: an agent's PEX servers and run workers go on without it
(dagster_cloud/workspace/user_code_launcher/process.py), so that they have to be ended with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from typing import Final, NoReturn

GENTLE_SECONDS: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1


def main() -> NoReturn:
    """See the module. Does not return: the group is killed, and this process with it."""
    if os.getpgrp() != os.getpid():
        sys.exit("The guardian has to lead a process group of its own.")
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
    threading.Thread(target=_end_with, args=(command,), daemon=True).start()
    if os.read(sys.stdin.fileno(), 1):
        command.terminate()
        threading.Timer(GENTLE_SECONDS, _end_all).start()
        os.read(sys.stdin.fileno(), 1)
    _end_all()


def _end_with(command: subprocess.Popen[bytes]) -> None:
    code = command.wait()
    sys.stderr.write(f"The agent's process ended with {code}.\n")
    sys.stderr.flush()
    _end_all()


def _end_all() -> NoReturn:
    os.killpg(0, signal.SIGKILL)
    os._exit(1)  # not reached: the signal was ours too


def _die_with_parent() -> None:
    if sys.platform == "linux":  # safe here: this process has no other thread when it forks
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
