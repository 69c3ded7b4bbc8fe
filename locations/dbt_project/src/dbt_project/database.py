"""The DuckDB file that dbt builds in, and one writer at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

NAMED = "DBT_PROJECT_DUCKDB"
FOR_DBT = "DBT_PROJECT_DATABASE"
"""What `profiles.yml` reads."""

LONGEST_WAIT = 600.0


def duckdb_file(storage: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The database's file: what ``DBT_PROJECT_DUCKDB`` names, else one in ``storage``, the deployment's own folder.

    All runs of a deployment see that folder: on a local agent it is the stack's, on a Docker agent the stack's volume.
    """
    named = environ.get(NAMED)
    return Path(named) if named else storage / "dbt_project" / "bakery.duckdb"


@contextmanager
def alone(database: Path, seconds: float = LONGEST_WAIT) -> Iterator[None]:
    """Hold ``database`` against the other runs on this machine: DuckDB has one writer, and refuses a second.

    Waits up to ``seconds`` (ten minutes: many times what a build takes) and raises ``TimeoutError`` after that. The
    lock is the operating system's, so a run that dies gives it back.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{database}.lock").open("a") as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{database.name} was in use by another run for {seconds:.0f} s") from None
                time.sleep(0.1)
        yield
