"""Stored asset values, moved from one storage to another: what a code location can install, ignorant of ``hybrid``.

Values are copied as bytes wherever both ends store the same pickle; user code is run only where a value has to be
loaded and stored anew. Nothing here imports Dagster, boto3 or obstore before it is needed.
"""

from __future__ import annotations

__version__ = "0.1.0"
