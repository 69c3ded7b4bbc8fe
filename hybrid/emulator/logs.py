"""The process's log: one line for each event, on standard error, redacted."""

from __future__ import annotations

import logging
import sys

from hybrid.redaction import RedactingFilter


def log_to_stderr() -> None:
    """Send what this process logs to standard error. Access is not logged: agents ask twice a second."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("uvicorn", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
