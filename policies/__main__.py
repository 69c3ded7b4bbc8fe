"""What Pulumi's engine starts, with this folder as ``--policy-pack``."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

_HERE = Path(__file__).absolute().parent
# The checkout in which the pack lies has its rules and its team's exceptions; and this folder's modules must not be
# found before Python's own of the same name.
sys.path[:] = [str(_HERE.parent), *(folder for folder in sys.path if Path(folder).absolute() != _HERE)]


def main() -> int:
    """Serves; ends with 1 and words when it cannot."""
    from hybrid.errors import HybridError

    try:
        _read_exceptions()
        from policies.pack import serve

        serve()
    except HybridError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _read_exceptions() -> None:
    """Raises ``SettingsError`` when the team's file is no Python, or one of its exceptions is said wrong."""
    from hybrid.errors import SettingsError

    try:
        import stacks.policy_exceptions  # noqa: F401 - its faults are told here, whatever they are
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next(
            (frame.lineno for frame in reversed(frames) if frame.filename.endswith("policy_exceptions.py")), None
        )
        where = "" if line is None else f" (line {line})"
        raise SettingsError(
            "stacks/policy_exceptions.py cannot be used.",
            why=f"{type(error).__name__}: {error}{where}",
            next_step="mend it; docs/policies.md has an example.",
        ) from None


if __name__ == "__main__":
    sys.exit(main())
