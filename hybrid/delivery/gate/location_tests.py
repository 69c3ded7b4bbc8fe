"""A location's own tests, in an environment that holds its development dependencies (PEP 735)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hybrid.delivery.gate import user_code
from hybrid.delivery.gate.definitions import LoadedCode
from hybrid.delivery.gate.findings import Finding
from hybrid.delivery.sources import Source, Toml
from hybrid.delivery.virtualenv import Wait

SECONDS: Final = 600.0
"""How long a location's tests may take."""

_GROUPS: Final = "dependency-groups"
_DEV: Final = "dev"
_NO_TESTS: Final = 5
"""The exit code of pytest for "no tests collected" (docs.pytest.org, exit codes)."""


def run_tests(code: LoadedCode, *, seconds: float = SECONDS, wait: Wait = time.sleep) -> list[Finding]:
    """What the tests say. ``code.python`` has to have pytest and what the tests need.

    They run in the location's folder, with its working directory on Python's path, as its code server has it.
    """
    environment = {
        **user_code.variables(code.python, code.variables),
        "PYTHONPATH": str(code.working_directory),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    command = [str(code.python), "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"]
    ended = user_code.run(command, folder=code.folder, environment=environment, seconds=seconds, wait=wait)
    if ended.code == 0:
        return []
    lines = ended.last_lines()
    if "No module named pytest" in ended.output:
        what, lines = "pytest is not in the environment of its tests.", ""
        step = f'add "pytest" to [{_GROUPS}] {_DEV} in its pyproject.toml.'
    elif ended.code is None:
        what, step = f"its tests did not end within {seconds:.0f} s.", "look for the test that waits."
    elif ended.code == _NO_TESTS:
        what = "no tests were found."
        step = "write one, such as tests/test_definitions.py, or leave `--tests` out."
    else:
        what, step = "its tests fail.", "mend them; `python -m pytest` in the location's folder runs them, too."
    return [Finding(code.name, "error", None, f"{what}\n{lines}" if lines else what, step)]


def development_requirements(folder: Path) -> tuple[str, ...]:
    """``[dependency-groups] dev`` of the folder's pyproject.toml, its included groups with it; none: empty.

    Raises ``SettingsError`` with file and line for what PEP 735 does not allow.
    """
    source = Source.read(folder / "pyproject.toml", folder=folder)
    if source is None:
        return ()
    file = Toml(source)
    groups: dict[str, Any] = {canonicalize_name(name): group for name, group in (file.table(_GROUPS) or {}).items()}
    return tuple(dict.fromkeys(_resolved(file, groups, _DEV, ()))) if _DEV in groups else ()


def _resolved(file: Toml, groups: Mapping[str, Any], name: str, within: tuple[str, ...]) -> list[str]:
    def wrong(why: str) -> Exception:
        return file.source.wrong(file.line(_GROUPS, name), why)

    if name in within:
        raise wrong(f"the group `{name}` includes itself.")
    group = groups.get(name)
    if not isinstance(group, list):
        raise wrong(f"the group `{name}` is {'no list' if name in groups else 'not there'}.")
    found: list[str] = []
    for item in group:
        if isinstance(item, dict) and set(item) == {"include-group"} and isinstance(item["include-group"], str):
            found += _resolved(file, groups, canonicalize_name(item["include-group"]), (*within, name))
            continue
        try:
            Requirement(item if isinstance(item, str) else "")
        except InvalidRequirement:
            raise wrong(f"{str(item)[:80]!r} in the group `{name}` is not a requirement (PEP 508).") from None
        found.append(item)
    return found
