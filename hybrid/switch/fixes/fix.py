"""What a fix is: files that it proposes, what stays to be chosen or done by hand, and what that costs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from hybrid.switch.finding import Finding
from hybrid.switch.fixes.secret_store import SecretStore

Executor = Literal["in_process", "multiprocess", "tag"]

_LINE: Final = re.compile(r":\d+$")


class Contents(Protocol):
    """A repository's files, by paths relative to its root, with ``/``."""

    def text(self, path: str) -> str | None:
        """The text to the letter: its line ends, its byte order mark. None: there is no such text in UTF-8."""

    def names(self, folder: str) -> tuple[str, ...]:
        """The names of the files in ``folder``, sorted; empty for the root."""

    def python_files(self, folder: str) -> tuple[str, ...]:
        """The paths of Python files in ``folder`` and below it, sorted, tests and environments left out."""


@dataclass(frozen=True, slots=True)
class ProposedFile:
    """A file as it would be."""

    path: str
    """Relative to the repository's root."""
    text: str
    before: str | None = None
    """What an edit was made from: it is written only where that still stands. None: the file is wholly made here, and
    written where there is none, or one that was written so and never edited."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several ways; somebody has to take one."""

    name: str
    """By which it is chosen."""
    what: str
    costs: str
    paste: str = ""
    """What to paste by hand, where nothing can be written."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What is done about one finding."""

    finding: Finding
    title: str
    files: tuple[ProposedFile, ...] = ()
    choices: tuple[Choice, ...] = ()
    by_hand: tuple[str, ...] = ()
    """What somebody has to do before the switch: it cannot be written, or not with certainty."""
    afterwards: tuple[str, ...] = ()
    """What somebody has to do with the switch or after it, and not before."""
    notes: tuple[str, ...] = ()
    """What is different afterwards."""
    obsolete: tuple[str, ...] = ()
    """Files that nobody reads afterwards. They are named, and removed by whoever owns them."""

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "kind": self.finding.kind.value,
            "weight": self.finding.weight.value,
            "where": self.finding.where,
            "location": self.finding.location,
            "title": self.title,
            "files": [each.path for each in self.files],
            "choices": [
                {"name": each.name, "what": each.what, "costs": each.costs, "paste": each.paste}
                for each in self.choices
            ],
            "byHand": list(self.by_hand),
            "afterwards": list(self.afterwards),
            "notes": list(self.notes),
            "obsolete": list(self.obsolete),
        }


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever switches has chosen, and where to; whatever is not said is not written."""

    stack: str
    executor: Executor | None = None
    """In place of non-isolated runs. None: the choices are shown, and no code is edited."""
    secret_store: SecretStore | None = None
    """Where secrets of code may lie on the stack's platform; None: in Dagster+ alone."""
    moves_secrets: bool = False
    """Whether they move there. Default: they stay in Dagster+, which gives them to Hybrid too."""
    convert: bool = False
    """Whether a dagster_cloud.yaml is said as files of dg projects. Default: it stays, since it is read as it is."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """By location, the folder that its image is built from, ``.`` for the root."""
    apart: bool = False
    """Whether the code is in a repository of its own, and the stack's file and its CI in another checkout."""
    io_manager: bool = False
    """Whether ``hybrid:assetValues.ioManager`` is on in the stack's file already."""
    workflows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By forge (``github``, ``gitlab``) what `hybrid ci init` writes: texts by path."""


class Texts:
    """Contents held in memory: for tests, and for laying what one fix proposes under the next."""

    def __init__(self, texts: Mapping[str, str], below: Contents | None = None) -> None:
        self._texts = texts
        self._below = below

    def text(self, path: str) -> str | None:
        if path in self._texts:
            return self._texts[path]
        return self._below.text(path) if self._below else None

    def names(self, folder: str) -> tuple[str, ...]:
        own = {posixpath.basename(path) for path in self._texts if posixpath.dirname(path) == folder}
        return tuple(sorted(own | set(self._below.names(folder) if self._below else ())))

    def python_files(self, folder: str) -> tuple[str, ...]:
        start = f"{folder}/" if folder else ""
        own = {path for path in self._texts if path.endswith(".py") and path.startswith(start)}
        return tuple(sorted(own | set(self._below.python_files(folder) if self._below else ())))


def file_of(finding: Finding) -> str:
    """The file that a finding is in: ``where`` without its line."""
    return _LINE.sub("", finding.where)


def folder_of(finding: Finding) -> str:
    """The folder that a finding is about, relative to the root; empty for the root itself.

    The fact ``folder`` says it; else it is that of the file in which it was found.
    """
    given = finding.facts.get("folder")
    return normal(posixpath.dirname(file_of(finding)) if given is None else given)


def normal(folder: str) -> str:
    """A folder in its shortest form; empty for the root, however it was said."""
    shortest = posixpath.normpath(folder)
    return "" if shortest == "." else shortest


def below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
