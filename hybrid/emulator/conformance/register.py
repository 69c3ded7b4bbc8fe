"""What is said of each document and path: ``register.yaml``, read strictly.

A document's key is its operation's name; where a package has two texts of one name, its constant's name follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import yaml

from hybrid.emulator.conformance.documents import Document

SENDERS: Final = ("agent", "storage", "user code", "dagster-cloud", "dg plus", "dg api", "other")
GROUNDS: Final = ("client", "schema", "docs", "invented")
_FOR_ALL: Final = "_"  # in a sender's group: what its entries have unless they say otherwise
_KEYS: Final = {"rests", "tests", "unserved"}


class RegisterError(ValueError):
    """The register cannot be read; the message says where."""


@dataclass(frozen=True)
class Entry:
    """A document or path. Either ``unserved`` has the reason, or ``rests`` the ground and ``tests`` the proof.

    ``key`` is a document's key, or ``METHOD /path``. ``tests`` are pytest's node ids, without parameters.
    """

    package: str
    key: str
    sender: str
    rests: str = ""
    tests: tuple[str, ...] = ()
    unserved: str = ""


@dataclass(frozen=True)
class Register:
    """All entries, and what the second count needs to know."""

    documents: Mapping[tuple[str, str], Entry]
    paths: Mapping[tuple[str, str], Entry]
    http_calls: Mapping[str, int]
    other_paths: Mapping[str, str]


def read_register(text: str | None = None) -> Register:
    """The register of this package, or of ``text``. Raises ``RegisterError``."""
    if text is None:
        text = (files("hybrid.emulator.conformance") / "register.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    expected = {"test_files", "storage_tests", "documents", "paths", "http_calls", "other_paths"}
    if not isinstance(content, dict) or content.keys() != expected:
        raise RegisterError(f"the register's keys have to be {sorted(expected)}")
    files_by_word = content["test_files"]
    return Register(
        documents=_by_key(_entries(content["documents"], files_by_word)),
        paths=_by_key(_entries(content["paths"], files_by_word)),
        http_calls={module: len(calls) for module, calls in content["http_calls"].items()},
        other_paths=content["other_paths"],
    )


def keys_of(documents: Sequence[Document]) -> dict[tuple[str, str], Document]:
    """The documents by package and key."""
    texts: dict[tuple[str, str], int] = {}
    for document in documents:
        texts[document.package, document.name] = texts.get((document.package, document.name), 0) + 1
    found: dict[tuple[str, str], Document] = {}
    for document in documents:
        constant = document.places[0].split(":")[1]
        several = texts[document.package, document.name] > 1
        key = f"{document.name} {constant}" if several else document.name
        if (document.package, key) in found:
            key = f"{key} {document.places[0].split(':')[0].rsplit('.', 1)[-1]}"
        found[document.package, key] = document
    return found


def _entries(packages: Mapping[str, Any], test_files: Mapping[str, str]) -> Iterator[Entry]:
    for package, senders in packages.items():
        for sender, group in senders.items():
            if sender not in SENDERS:
                raise RegisterError(f"{package}: {sender} is no sender; there are {', '.join(SENDERS)}")
            common = group.get(_FOR_ALL) or {}
            for key, own in group.items():
                if key != _FOR_ALL:
                    yield _entry(package, sender, key, {**common, **(own or {})}, test_files)


def _entry(package: str, sender: str, key: str, said: Mapping[str, Any], test_files: Mapping[str, str]) -> Entry:
    where = f"{package}, {key}"
    if unknown := said.keys() - _KEYS:
        raise RegisterError(f"{where}: {sorted(unknown)} has no meaning; there are {sorted(_KEYS)}")
    if unserved := said.get("unserved"):
        return Entry(package, key, sender, unserved=str(unserved))
    if said.get("rests") not in GROUNDS:
        raise RegisterError(f"{where}: `rests` has to be one of {', '.join(GROUNDS)}, or `unserved` to give a reason")
    tests = []
    for test in said.get("tests") or ():
        word, _, name = str(test).partition("::")
        if word not in test_files or not name:
            raise RegisterError(f"{where}: {test} is not <word of test_files>::<test>")
        tests.append(f"{test_files[word]}::{name}")
    return Entry(package, key, sender, str(said["rests"]), tuple(tests))


def _by_key(entries: Iterator[Entry]) -> dict[tuple[str, str], Entry]:
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if (entry.package, entry.key) in found:
            raise RegisterError(f"{entry.package}, {entry.key} is registered twice")
        found[entry.package, entry.key] = entry
    return found
