"""The same things counted by other means: regular expressions over the bare source, knowing no syntax.

Where they disagree with ``documents`` and ``paths``, one of the two misses something, and somebody has to look.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hybrid.emulator.conformance.documents import Document, Unreadable
from hybrid.emulator.conformance.paths import Path
from hybrid.emulator.conformance.sources import PACKAGES, graphql_files, modules

_OPERATION: Final = re.compile(r"(?<![\w.])(?:query|mutation|subscription)\s+(\w+)\s*(?:\([^{}]*\))?\s*\{")
_NAMELESS: Final = re.compile(r"(?<![\w.])(?:query|mutation|subscription)\s*(?:\(\s*\$[^{}]*\))?\s*\{\s*\w")
_HTTP_CALL: Final = re.compile(r"(?:requests|session\w*|client)(?:\(\))?\.(?:get|head|put|post|patch|delete|request)\(")
_PATH: Final = re.compile(r"""url[\w.()]*\}?["']?\s*\+?\s*f?["']?/([a-z_]+)""", re.IGNORECASE)


def operations_by_module(packages: Iterable[str] = PACKAGES) -> Counter[tuple[str, str]]:
    """How often an operation of a name is written in a module. One without a name is called ``(no name)``."""
    found: Counter[tuple[str, str]] = Counter()
    for package in packages:
        for source in modules(package):
            found.update((source.module, name) for name in _OPERATION.findall(source.text))
            found.update((source.module, "(no name)") for _ in _NAMELESS.findall(source.text))
    return found


def http_calls_by_module(packages: Iterable[str] = PACKAGES) -> dict[str, int]:
    """How many calls over HTTP, other than by GraphQL's client, a module makes."""
    counts = {source.module: len(_HTTP_CALL.findall(source.text)) for name in packages for source in modules(name)}
    return {module: count for module, count in counts.items() if count}


def disagreements(documents: Sequence[Document], unreadable: Sequence[Unreadable]) -> list[str]:
    """Where the two counts of GraphQL documents differ, in sentences."""
    by_syntax: Counter[tuple[str, str]] = Counter(
        (place.split(":")[0], document.name) for document in documents for place in document.places
    )
    by_text = operations_by_module()
    said = [f"{one.place} looks like a GraphQL document and cannot be read: {one.reason}" for one in unreadable]
    for key in sorted(by_syntax.keys() | by_text.keys()):
        if by_syntax[key] != by_text[key]:
            said.append(
                f"{key[0]}: operation {key[1]} is found {by_syntax[key]} times by its syntax and {by_text[key]} times "
                "in the bare text"
            )
    sent = {document.name for document in documents}
    for package in PACKAGES:
        for file, text in graphql_files(package):
            lost = sorted(set(_OPERATION.findall(text)) - sent)
            said += [f"{package}/{file}: operation {name} is in no module" for name in lost]
    return said


def path_disagreements(paths: Sequence[Path], http_calls: Mapping[str, int], others: Iterable[str]) -> list[str]:
    """Where the two counts of REST differ. ``http_calls``: how many calls each module is known to make; ``others``:
    path names that are no path of Dagster+."""
    known = {path.path for path in paths} | set(others)
    said = []
    for package in PACKAGES:
        for source in modules(package):
            lost = sorted({f"/{name}" for name in _PATH.findall(source.text)} - known)
            said += [f"{source.module}: {name} follows an address and is not among the paths found" for name in lost]
    counted = http_calls_by_module()
    for module in sorted(counted.keys() | http_calls.keys()):
        if counted.get(module, 0) != http_calls.get(module, 0):
            said.append(
                f"{module} makes {counted.get(module, 0)} calls over HTTP; looked at were {http_calls.get(module, 0)}"
            )
    return said
