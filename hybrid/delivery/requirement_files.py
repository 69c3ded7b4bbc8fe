"""What a ``requirements.txt`` and a ``setup.py`` list, as far as their texts say it. Nothing is run.

Serverless takes both, with ``[project]`` of a pyproject.toml (dagster_cloud_cli/core/pex_builder/deps.py of 1.13.27).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from hybrid.delivery.sources import Place

REQUIREMENTS: Final = "requirements.txt"
SETUP: Final = "setup.py"

_NAMES_OTHERS: Final = ("-r", "-e", "--requirement", "--editable", "-c ", ".", "git+", "http")
_COMMENT: Final = re.compile(r"\s#|^#|\s--")


def listed_in_text(text: str) -> tuple[list[str], bool]:
    """The requirements (PEP 508) in a requirements.txt, and whether these are all: it may name other files."""
    found, whole = [], True
    for line in _lines(text):
        if line.startswith(_NAMES_OTHERS):
            whole = False
        elif not line.startswith("-") and is_requirement(line):
            found.append(line)
    return found, whole


def listed_in_setup(text: str) -> tuple[list[str], bool]:
    """``install_requires`` of a setup.py when it is a list of texts, and whether it is."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [], False
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            if not isinstance(node.value, ast.List):
                return [], False
            items = [each.value for each in node.value.elts if isinstance(each, ast.Constant)]
            texts = [each for each in items if isinstance(each, str) and is_requirement(each)]
            return texts, len(texts) == len(node.value.elts)
    return [], True


def listed_in_folder(place: Place) -> tuple[str, ...]:
    """All that both files of the folder list, wheels that lie in the folder by their addresses.

    What they name otherwise (other files, the folder itself, what a setup.py computes) is left out: an environment of
    this machine has the code by its folder.
    """
    found: list[str] = []
    if listed := place.read(REQUIREMENTS):
        found += listed_in_text(listed.text)[0]
        found += [wheel for line in _lines(listed.text) if (wheel := _wheel(place.path, line))]
    if setup := place.read(SETUP):
        found += listed_in_setup(setup.text)[0]
    return tuple(dict.fromkeys(found))


def is_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _lines(text: str) -> list[str]:
    stripped = (_COMMENT.split(raw, maxsplit=1)[0].strip().rstrip("\\").strip() for raw in text.splitlines())
    return [line for line in stripped if line]


def _wheel(folder: Path, line: str) -> str | None:
    """``./wheels/x.whl`` as a requirement; None for what is no wheel inside the folder."""
    if not line.startswith("./") or not line.endswith(".whl"):
        return None
    file = (folder / line).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        return None
    try:
        name = parse_wheel_filename(file.name)[0]
    except InvalidWheelFilename:
        return None
    return f"{name} @ {file.as_uri()}"
