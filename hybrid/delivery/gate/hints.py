"""What to do about a location that does not load, from the error and from what lies in its folder."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Final

_MISSING: Final = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'")
_VARIABLE: Final = re.compile(r"KeyError: '([A-Z][A-Z0-9_]*)'")
_MEND: Final = "mend that error; the agent would meet it, too."


def next_step(folder: Path, working_directory: Path, target: str, header: str, event: str) -> str:
    """What the reader does about ``header``, the innermost exception; ``event`` is the whole report."""
    if missing := _MISSING.search(header):
        return _missing(folder, working_directory, target, missing[1])
    if variable := variable_read(header, event):
        return (
            f"{variable} is read while the code is loaded, where it has no value: use dagster.EnvVar"
            f'("{variable}") or read it in the resource, or give a plain value in `hybrid:environmentVariables`.'
        )
    return _MEND


def variable_read(header: str, event: str) -> str | None:
    """The environment variable that was read and has no value, if that is what stopped the code."""
    found = _VARIABLE.search(header)
    return found[1] if found and "environ" in event else None


def _missing(folder: Path, working_directory: Path, target: str, module: str) -> str:
    if not f"{target}.".startswith(f"{module}."):
        return f"add the package that has `{module}` to [project] dependencies in the location's pyproject.toml."
    elsewhere = _folder_with(folder, working_directory, module)
    if elsewhere is not None:
        return (
            f"`{module}` lies in {elsewhere}, and Python imports from {_shown(folder, working_directory)}: "
            f"set `working_directory` to it, or move the package."
        )
    parent = working_directory.joinpath(*module.split(".")[:-1])
    there = _modules(parent)
    close = difflib.get_close_matches(module.rpartition(".")[2], there, n=1)
    if close:
        name = ".".join([*module.split(".")[:-1], close[0]])
        return f"write `{name}` in the location's pyproject.toml, which is there; `{module}` is not."
    listed = f"there is: {', '.join(there[:10])}" if there else "there is no module"
    return f"in {_shown(folder, parent)} {listed}; mend the name in the location's pyproject.toml, or the folder's."


def _folder_with(folder: Path, working_directory: Path, module: str) -> str | None:
    first = module.partition(".")[0]
    for place in (folder, folder / "src"):
        if place != working_directory and first in _modules(place):
            return _shown(folder, place)
    return None


def _modules(folder: Path) -> list[str]:
    """What can be imported from ``folder``."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    names = {path.stem for path in entries if path.suffix == ".py" and path.stem.isidentifier()}
    names |= {path.name for path in entries if path.name.isidentifier() and any(path.glob("*.py"))}
    return sorted(names - {"__init__", "__pycache__"})


def _shown(folder: Path, path: Path) -> str:
    inside = path.relative_to(folder) if path.is_relative_to(folder) else path
    return f"{folder.parent.name}/{folder.name}" if inside == Path() else f"{folder.parent.name}/{folder.name}/{inside}"
