"""What Pulumi's engine starts, with this folder as ``--policy-pack``."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).absolute().parent
# The checkout in which the pack lies has its rules and its team's exceptions; and this folder's modules must not be
# found before Python's own of the same name.
sys.path[:] = [str(_HERE.parent), *(folder for folder in sys.path if Path(folder).absolute() != _HERE)]


def main() -> int:
    """Serves; ends with 1 and words when it cannot."""
    from hybrid.errors import HybridError
    from policies.pack import serve

    try:
        serve()
    except HybridError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
