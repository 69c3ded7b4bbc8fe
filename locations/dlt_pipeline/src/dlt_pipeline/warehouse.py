"""Where the rows go: a DuckDB file, or BigQuery when ``DLT_PIPELINE_DESTINATION`` says so."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
from dlt.pipeline.pipeline import Pipeline

DESTINATION = "DLT_PIPELINE_DESTINATION"
DUCKDB = "DLT_PIPELINE_DUCKDB"
KEY = "DESTINATION__BIGQUERY__CREDENTIALS"
REGION = "DESTINATION__BIGQUERY__LOCATION"
DATASET = "sky"
LONGEST_WAIT = 600.0
_KEY_PARTS = ("project_id", "client_email", "private_key", "token_uri")


class SettingError(ValueError):
    """An environment variable says something that cannot be used. The message never has its value."""


def duckdb_file(storage: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The database's file: what ``DLT_PIPELINE_DUCKDB`` names, else one in ``storage``, the deployment's own folder.

    All runs of a deployment see that folder: on a local agent it is the stack's, on a Docker agent the stack's volume.
    """
    named = environ.get(DUCKDB)
    return Path(named) if named else storage / "dlt_pipeline" / "warehouse.duckdb"


def bigquery_key(text: str) -> dict[str, str]:
    """The service account's key in ``text``, the JSON file's content as it is.

    Raises ``SettingError`` for what is usually pasted instead: nothing, the file's path, the content within quotes,
    or another kind of key.
    """
    text = text.strip()
    if not text:
        raise SettingError(f"{KEY} is empty or not set: it takes the content of the service account's JSON key.")
    if text[0] in "'\"":
        raise SettingError(f"{KEY} has quotes around the JSON: paste the content alone, from {{ to }}.")
    if not text.startswith("{"):
        raise SettingError(f"{KEY} is not JSON: it takes the key file's content, not its path.")
    try:
        key = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SettingError(f"{KEY} is not whole JSON ({error.msg} at {where}): paste the key file's content.") from None
    lacking = [part for part in _KEY_PARTS if not isinstance(key.get(part), str)]
    if key.get("type") != "service_account" or lacking:
        lacks = f"; it lacks {', '.join(lacking)}" if lacking else ""
        raise SettingError(f"{KEY} is not a service account's key{lacks}.")
    return dict(key)


def destination(storage: Path, environ: Mapping[str, str] = os.environ) -> Any:
    """The dlt destination that the environment chooses. Raises ``SettingError``."""
    chosen = environ.get(DESTINATION, "duckdb")
    if chosen == "duckdb":
        return dlt.destinations.duckdb(str(duckdb_file(storage, environ)))
    if chosen != "bigquery":
        raise SettingError(f"{DESTINATION} is duckdb or bigquery, not {chosen!r}.")
    key = bigquery_key(environ.get(KEY, ""))
    if not _installed("google.cloud.bigquery"):
        raise SettingError(
            f"{DESTINATION} is bigquery, but Google's client is not installed: move dlt[bigquery] from the optional "
            "dependencies in pyproject.toml to the dependencies and make requirements.lock again."
        )
    return dlt.destinations.bigquery(credentials=key, location=environ.get(REGION, "US"))


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # one of its parents
        return False


@contextmanager
def pipeline(storage: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Pipeline]:
    """A dlt pipeline into the chosen destination, alone with it while the block lasts.

    dlt's working folder is a new one each time: runs of one machine that share one disturb each other, and what dlt
    has to remember it keeps in the destination.
    """
    target = destination(storage, environ)
    with TemporaryDirectory(prefix="dlt-") as scratch:
        made = dlt.pipeline("dlt_pipeline", dataset_name=DATASET, destination=target, pipelines_dir=scratch)
        if environ.get(DESTINATION, "duckdb") == "duckdb":
            with alone(duckdb_file(storage, environ)):
                yield made
        else:
            yield made


@contextmanager
def alone(database: Path, seconds: float = LONGEST_WAIT) -> Iterator[None]:
    """Hold ``database`` against the other runs on this machine: DuckDB has one writer, and refuses a second.

    Waits up to ``seconds`` (ten minutes: many times what a load takes) and raises ``TimeoutError`` after that. The
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
