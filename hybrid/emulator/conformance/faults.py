"""Where the register, the installed clients, the emulator and the tests do not agree."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Final

from hybrid.emulator.conformance.answering import Answering, Verdict
from hybrid.emulator.conformance.documents import Document, Unreadable, found_documents
from hybrid.emulator.conformance.paths import Path, found_paths
from hybrid.emulator.conformance.recount import disagreements, path_disagreements
from hybrid.emulator.conformance.register import Entry, Register, keys_of

_WITH_AGENTS_TOKEN: Final = ("agent", "storage", "user code")


@dataclass(frozen=True)
class Found:
    """What is in the installed packages, and who answers it."""

    documents: Mapping[tuple[str, str], Document]
    unreadable: Sequence[Unreadable]
    paths: Sequence[Path]
    verdicts: Mapping[tuple[str, str], Verdict]


def find(register: Register, answering: Answering) -> Found:
    """Look through the packages. A document that is not registered is taken for a user's."""
    documents, unreadable = found_documents()
    by_key = keys_of(documents)
    verdicts = {}
    for key, document in by_key.items():
        entry = register.documents.get(key)
        of_agent = entry is not None and entry.sender in _WITH_AGENTS_TOKEN
        verdicts[key] = answering.verdict(document.text, of_agent=of_agent)
    return Found(by_key, unreadable, found_paths(), verdicts)


def faults(register: Register, found: Found, root: File) -> list[str]:
    """All that does not agree, in sentences; empty when all is well. Tests are looked for below ``root``."""
    return [
        *_unregistered(register, found),
        *_untrue(register, found),
        *_untested([*register.documents.values(), *register.paths.values()], root),
        *disagreements(list(found.documents.values()), found.unreadable),
        *path_disagreements(found.paths, register.http_calls, register.other_paths),
    ]


def _unregistered(register: Register, found: Found) -> list[str]:
    said = []
    for package, key in sorted(found.documents.keys() - register.documents.keys()):
        place = found.documents[package, key].places[0]
        said.append(f"{package}: the document {key} ({place}) is new: serve it or say in register.yaml why not")
    for package, key in sorted(register.documents.keys() - found.documents.keys()):
        said.append(f"{package}: the document {key} is registered, and no installed client has it")
    return said + _unregistered_paths(register, found)


def _unregistered_paths(register: Register, found: Found) -> list[str]:
    said = []
    registered = {(package, *key.split(" ", 1)) for package, key in register.paths}
    seen = set()
    for path in found.paths:
        if path.path in register.other_paths:
            continue
        methods = {method for package, method, known in registered if (package, known) == (path.package, path.path)}
        seen |= {(path.package, method, path.path) for method in methods}
        if not methods or path.methods - methods:
            shown = f"{'|'.join(sorted(path.methods)) or 'some method'} {path.path}"
            said.append(f"{path.package}: {shown} ({path.places[0]}) is new: serve it or say in register.yaml why not")
    for package, method, known in sorted(registered - seen):
        said.append(f"{package}: {method} {known} is registered, and no installed client has it")
    return said


def _untrue(register: Register, found: Found) -> list[str]:
    said = []
    for key, verdict in found.verdicts.items():
        entry = register.documents.get(key)
        if entry is None:
            continue
        if entry.unserved and verdict.by:
            said.append(f"{entry.package}: {entry.key} is registered as not served, and the {verdict.by} answers it")
        if not entry.unserved and verdict.by is None:
            said.append(f"{entry.package}: {entry.key} is registered as served, and it is not: {verdict.problems[0]}")
    return said


def _untested(entries: Sequence[Entry], root: File) -> list[str]:
    said = []
    for entry in entries:
        if not entry.unserved and not entry.tests:
            said.append(f"{entry.package}: {entry.key} is served, and no test is named for it")
        for test in entry.tests:
            file, _, name = test.partition("::")
            if name not in _tests_in(root / file):
                said.append(f"{entry.package}: {entry.key} names the test {test}, which does not exist")
    return said


@functools.cache
def _tests_in(file: File) -> frozenset[str]:
    """The names of the tests in ``file``, those of classes as ``Class::test``."""
    if not file.is_file():
        return frozenset()
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
    return frozenset(name for name in found if name.rsplit("::", 1)[-1].startswith("test_"))
