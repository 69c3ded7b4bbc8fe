"""Whether a ``dagster.yaml`` is one that the installed Dagster takes: by its own schemas, in a process of its own, with
no connection opened. Run as a module it reads the text from standard input and prints a JSON list of problems."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hybrid.errors import HybridError
from hybrid.redaction import redact

_SECONDS: Final = 120.0  # importing Dagster takes three; a loaded machine needs more
_TOKEN: Final = "DAGSTER_CLOUD_AGENT_TOKEN"  # noqa: S105 - the variable's name, not a token
_CLASSES: Final = ("user_code_launcher", "compute_logs", "local_artifact_storage")


def installed_version() -> str:
    """Of dagster-cloud, by whose schemas ``problems`` judges."""
    from importlib.metadata import version

    return version("dagster-cloud")


def problems(text: str) -> list[str]:
    """What the installed Dagster would refuse of ``text``; empty when it takes all. Raises ``HybridError`` when it
    cannot be asked."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_", "AWS_"))}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hybrid.engine.agent_yaml"],
            input=text,
            # the agent's variables are not here: any value that is there satisfies the schema
            env={**given, _TOKEN: "agent:x:x"},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise HybridError(
            "The agent's settings could not be checked by Dagster's schemas.",
            why=redact(str(error)),
            next_step="run the command again; `python -m hybrid.engine.agent_yaml < dagster.yaml` shows more.",
        ) from None
    # what Dagster expects instead is a page long
    return [redact(str(problem).partition(" Expected: ")[0]) for problem in found]


def _found(text: str) -> Iterator[str]:
    from dagster import DagsterError
    from dagster._core.instance.config import dagster_instance_config

    with tempfile.TemporaryDirectory(prefix="hybrid-") as folder:
        (Path(folder) / "dagster.yaml").write_text(text, encoding="utf-8")
        try:
            config, _ = dagster_instance_config(folder)
        except DagsterError as error:
            yield str(error)
            return
    for key in _CLASSES:
        if config.get(key):
            yield from _of_class(key, config[key])


def _of_class(key: str, given: Any) -> Iterator[str]:
    from dagster._config import process_config, resolve_to_config_type

    try:
        cls: Any = getattr(importlib.import_module(given["module"]), given["class"])
    except Exception as error:
        yield f"{key}: {given.get('module')}.{given.get('class')} cannot be imported: {error}"
        return
    judged = process_config(resolve_to_config_type(cls.config_type()), given.get("config") or {})
    for problem in judged.errors or ():
        yield f"{key}: {problem.message}"


if __name__ == "__main__":
    asked = sys.stdin.read()
    answer = list(_found(asked))
    sys.stdout.write(json.dumps(answer) + "\n")
