"""Every GraphQL document in the source of the installed clients.

A document is a text with an operation that parses. The same text in several places of a package is one document.
``.graphql`` files are not counted again: the methods that send them are generated from them and hold the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graphql import GraphQLSyntaxError, OperationDefinitionNode, parse, print_ast

from hybrid.emulator.conformance.sources import PACKAGES, modules
from hybrid.emulator.conformance.texts import Library, Text, texts

# As it stands in a text: the word, perhaps a name, perhaps variables, and a brace.
OPERATION: Final = re.compile(r"^\s*(query|mutation|subscription)\b[^{\"']*\{", re.MULTILINE)
_ROUNDS: Final = 4  # a constant made of an imported constant made of an imported constant


@dataclass(frozen=True)
class Document:
    """A GraphQL document of ``package``. ``places`` are ``module:CONSTANT`` or ``module:Class.method``."""

    package: str
    name: str
    kind: str
    text: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Unreadable:
    """A text that has the looks of a document and does not parse: its parts come together in a way unknown here."""

    place: str
    reason: str


def found_documents(packages: Iterable[str] = PACKAGES) -> tuple[list[Document], list[Unreadable]]:
    """The documents of ``packages`` by package and name, and what could not be read."""
    sources = [source for package in packages for source in modules(package)]
    library = Library()
    for _ in range(_ROUNDS):
        for source in sources:
            library.read(source)
    found: dict[tuple[str, str], Document] = {}
    unreadable: list[Unreadable] = []
    for source in sources:
        for text in texts(source, library):
            if OPERATION.search(text.value):
                _take(text, source.package, found, unreadable)
    return sorted(found.values(), key=lambda document: (document.package, document.name, document.text)), unreadable


def _take(text: Text, package: str, found: dict[tuple[str, str], Document], unreadable: list[Unreadable]) -> None:
    place = f"{text.module}:{text.place}"
    try:
        tree = parse(text.value, no_location=True)
    except GraphQLSyntaxError as error:
        unreadable.append(Unreadable(place, error.message))
        return
    operations = [node for node in tree.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].name is None:
        unreadable.append(Unreadable(place, f"has {len(operations)} operations, or one without a name"))
        return
    key = (package, print_ast(tree))
    before = found[key].places if key in found else ()
    found[key] = Document(
        package, operations[0].name.value, operations[0].operation.value, text.value, (*before, place)
    )
