"""Texts as a module's source composes them: constants, ``+``, f-strings, ``dedent`` and names of other modules.

Nothing is imported or executed. A text that depends on what is known at run time only has no value here; that such
texts are no GraphQL documents is what ``recount`` checks.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hybrid.emulator.conformance.sources import Source

_UNCHANGED_BY = {"gql"}
_METHODS = {"strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip}


@dataclass(frozen=True)
class Text:
    """A text and where it stands: a constant's name, or a function's."""

    module: str
    place: str
    value: str


@dataclass
class Library:
    """The constants of all modules, so that a module can use those of another."""

    constants: dict[str, dict[str, str]] = field(default_factory=dict)

    def read(self, source: Source) -> None:
        """Learn the constants of ``source``. Repeat until nothing is new: modules use one another in any order."""
        known = self.names_in(source)
        for node in source.tree.body:
            if isinstance(node, ast.Assign) and (value := folded(node.value, known)) is not None:
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        known[target.id] = value
                        self.constants.setdefault(source.module, {})[target.id] = value

    def names_in(self, source: Source) -> dict[str, str]:
        """What names stand for in ``source``: its own constants, imported ones, and ``module.CONSTANT``."""
        names: dict[str, str] = {}
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                for alias in node.names:
                    names |= self._imported(node.module, alias.name, alias.asname or alias.name)
        return names | self.constants.get(source.module, {})

    def _imported(self, module: str, name: str, known_as: str) -> dict[str, str]:
        found = self.constants.get(f"{module}.{name}")
        if found is not None:
            return {f"{known_as}.{constant}": value for constant, value in found.items()}
        value = self.constants.get(module, {}).get(name)
        return {} if value is None else {known_as: value}


def texts(source: Source, library: Library) -> Iterator[Text]:
    """The largest texts of ``source``: parts of a text that is put together are not given apart."""
    yield from _in_body(source, source.tree, library.names_in(source), ())


def _in_body(source: Source, scope: ast.AST, names: Mapping[str, str], place: tuple[str, ...]) -> Iterator[Text]:
    local = dict(names)
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from _in_body(source, node, local, (*place, node.name))
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        named = isinstance(target, ast.Name) and not place
        label = (target.id,) if named and isinstance(target, ast.Name) else place
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name):
            value = folded(node.value, local)
            if value is not None:
                local[target.id] = value
        yield from _in_expression(source, node, local, label)


def _in_expression(source: Source, node: ast.AST, names: Mapping[str, str], place: tuple[str, ...]) -> Iterator[Text]:
    if isinstance(node, (ast.Name, ast.Attribute)) and folded(node, names) is not None:
        return  # given where it is written
    if isinstance(node, ast.expr) and (value := folded(node, names)) is not None:
        yield Text(source.module, ".".join(place) or "module", value)
        return
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield from _in_body(source, node, names, (*place, node.name))
        return
    for child in ast.iter_child_nodes(node):
        yield from _in_expression(source, child, names, place)


def folded(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """The text that ``node`` stands for, or None if the source alone does not say."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, (ast.Name, ast.Attribute)):
        return names.get(ast.unparse(node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([node.left, node.right], names)
    if isinstance(node, ast.JoinedStr):
        return _joined(node.values, names)
    if isinstance(node, ast.FormattedValue):
        return folded(node.value, names) if node.format_spec is None and node.conversion == -1 else None
    return _called(node, names) if isinstance(node, ast.Call) else None


def _called(node: ast.Call, names: Mapping[str, str]) -> str | None:
    called = ast.unparse(node.func).rsplit(".", 1)[-1]
    if called in _METHODS and isinstance(node.func, ast.Attribute) and not node.args:
        value = folded(node.func.value, names)
        return None if value is None else _METHODS[called](value)
    if called not in _UNCHANGED_BY | {"dedent"} or len(node.args) != 1:
        return None
    value = folded(node.args[0], names)
    return textwrap.dedent(value) if value is not None and called == "dedent" else value


def _joined(nodes: list[ast.expr], names: Mapping[str, str]) -> str | None:
    parts = [folded(node, names) for node in nodes]
    return None if None in parts else "".join(part for part in parts if part is not None)
