"""``python -m hybrid.emulator.conformance``: the page on standard output, and what is wrong with it on the other."""

from __future__ import annotations

import sys
from pathlib import Path

from hybrid.emulator.conformance.answering import emulators_own
from hybrid.emulator.conformance.faults import faults, find
from hybrid.emulator.conformance.page import markdown
from hybrid.emulator.conformance.register import read_register


def main() -> None:
    register = read_register()
    with emulators_own() as answering:
        found = find(register, answering)
    sys.stdout.write(markdown(register, found))
    for fault in faults(register, found, Path.cwd()):
        sys.stderr.write(f"{fault}\n")


if __name__ == "__main__":
    main()
