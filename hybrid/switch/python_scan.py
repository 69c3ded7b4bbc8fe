"""What a file of Python says of Serverless, read from its syntax tree: nothing of it is imported or run.

What a tree cannot say: names that are put together at run time, IO managers that a function of the team's own chooses,
assets that a library makes. ``unknown`` says so where it is seen.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from hybrid.switch.organization import ISOLATION_TAG
from hybrid.switch.serverless_words import LIBRARY, VARIABLE

StoredBy = Literal["own", "default", "unknown"]

_WORTH_READING: Final = re.compile(rb"dagster|SERVERLESS|DEFAULT_IO_MANAGER|AWS_CONTAINER|PEX|VENVS_ROOT")
_READS: Final = frozenset({"os.getenv", "os.environ.get", "os.environ.pop", "os.environ.setdefault", "dagster.EnvVar"})
_ASSETS: Final = frozenset({"dagster.asset", "dagster.graph_asset"})
_OWN: Final = frozenset({"io_manager_key", "io_manager_def"})
_WITH_RESOURCES: Final = frozenset({"dagster.with_resources"})
_NOTHING: Final = frozenset({"None", "MaterializeResult", "ObserveResult"})


@dataclass(frozen=True)
class AssetFound:
    """An asset as written. ``stored_by`` is about its own words; the resources of its definitions may say otherwise."""

    name: str
    line: int
    stored_by: StoredBy
    stores: bool
    """False for one whose annotation says that it returns nothing to store."""


@dataclass(frozen=True)
class DefinitionsFound:
    """A call that gives assets their resources. ``io_manager``: whether one of the team's own is among them."""

    line: int
    io_manager: StoredBy


@dataclass(frozen=True)
class PythonFacts:
    """Of one file; lines from 1."""

    variables: tuple[tuple[str, int], ...] = ()
    """Variables that Serverless sets, where they are read."""
    libraries: tuple[int, ...] = ()
    """Imports of ``dagster_cloud.serverless``."""
    isolation: tuple[int, ...] = ()
    """Where the tag ``dagster/isolation`` is written."""
    assets: tuple[AssetFound, ...] = ()
    definitions: tuple[DefinitionsFound, ...] = ()


def scan_python(content: bytes) -> PythonFacts:
    """Raises ``ValueError`` with one line when it is not Python of this version."""
    if not _WORTH_READING.search(content):
        return PythonFacts()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings, which are not ours to judge
            tree = ast.parse(content)
    except SyntaxError as error:
        raise ValueError(f"not Python of this version: {error.msg} (line {error.lineno or 1})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"not Python of this version: {str(error) or 'nested too deep'}") from None
    return _Scan(tree).facts()


class _Scan:
    def __init__(self, tree: ast.Module) -> None:
        self._nodes = list(ast.walk(tree))
        self._names = dict(_imported(self._nodes))

    def facts(self) -> PythonFacts:
        return PythonFacts(
            variables=tuple(sorted(set(self._variables()), key=lambda found: (found[1], found[0]))),
            libraries=tuple(sorted(self._libraries())),
            isolation=tuple(sorted({line for node in self._nodes for line in _lines_of(node, ISOLATION_TAG)})),
            assets=tuple(sorted(self._assets(), key=lambda found: found.line)),
            definitions=tuple(sorted(self._definitions(), key=lambda found: found.line)),
        )

    def _called(self, node: ast.AST) -> str | None:
        """``dagster.asset`` for ``dg.asset`` and whatever else it was imported as."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        return ".".join([self._names.get(node.id, node.id), *reversed(parts)])

    def _variables(self) -> Iterator[tuple[str, int]]:
        for node in self._nodes:
            if isinstance(node, ast.Call) and node.args and self._reads(node.func):
                yield from _named(node.args[0])
            elif isinstance(node, ast.Subscript) and self._called(node.value) == "os.environ":
                yield from _named(node.slice)
            elif isinstance(node, ast.Compare) and any(self._called(each) == "os.environ" for each in node.comparators):
                yield from _named(node.left)

    def _reads(self, function: ast.AST) -> bool:
        called = self._called(function)
        return called is not None and (called in _READS or called.startswith("dagster.EnvVar."))

    def _libraries(self) -> Iterator[int]:
        for node in self._nodes:
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            if any(module == LIBRARY or module.startswith(f"{LIBRARY}.") for module in modules):
                yield node.lineno

    def _assets(self) -> Iterator[AssetFound]:
        for node in self._nodes:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                called = self._called(call.func if call else decorator)
                if called in _ASSETS:
                    stores = not _returns_nothing(node)
                    yield AssetFound(node.name, node.lineno, _by_keywords(call, _OWN), stores)
                elif called == "dagster.multi_asset" and call is not None:
                    yield AssetFound(node.name, node.lineno, self._outs(call), not _returns_nothing(node))

    def _outs(self, call: ast.Call) -> StoredBy:
        """Of a multi-asset: ``default`` as soon as one of its outs names no IO manager."""
        outs = next((keyword.value for keyword in call.keywords if keyword.arg == "outs"), None)
        if not isinstance(outs, ast.Dict):
            return "unknown"
        said = [_by_keywords(out, _OWN) if isinstance(out, ast.Call) else "unknown" for out in outs.values]
        return "default" if "default" in said else "unknown" if "unknown" in said or not said else "own"

    def _definitions(self) -> Iterator[DefinitionsFound]:
        for node in self._nodes:
            if not isinstance(node, ast.Call):
                continue
            called = self._called(node.func)
            if called == "dagster.Definitions":
                given = next((each.value for each in node.keywords if each.arg == "resources"), None)
                spread = any(each.arg is None for each in node.keywords)
                yield DefinitionsFound(node.lineno, "unknown" if given is None and spread else self._resources(given))
            elif called in _WITH_RESOURCES:
                second = next((each.value for each in node.keywords if each.arg == "resource_defs"), None)
                if second is None and len(node.args) > 1:
                    second = node.args[1]
                yield DefinitionsFound(node.lineno, self._resources(second))

    def _resources(self, given: ast.expr | None) -> StoredBy:
        if given is None or (isinstance(given, ast.Constant) and given.value is None):
            return "default"
        if isinstance(given, ast.Dict):
            if any(key is not None and _is_text(key, "io_manager") for key in given.keys):
                return "own"
            # a key that is no text, or ** (None), may be any
            return "default" if all(isinstance(key, ast.Constant) for key in given.keys) else "unknown"
        if isinstance(given, ast.Call) and self._called(given.func) == "dict" and not given.args:
            names = {keyword.arg for keyword in given.keywords}
            return "own" if "io_manager" in names else "unknown" if None in names else "default"
        return "unknown"


def _imported(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _named(node: ast.AST) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
        yield node.value, node.lineno


def _is_text(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def _lines_of(node: ast.AST, text: str) -> Iterator[int]:
    if isinstance(node, ast.Constant) and node.value == text:
        yield node.lineno


def _by_keywords(call: ast.Call | None, own: frozenset[str]) -> StoredBy:
    if call is None:
        return "default"
    names = {keyword.arg for keyword in call.keywords}
    return "own" if names & own else "unknown" if None in names else "default"


def _returns_nothing(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if node.returns is None:
        return False
    text = node.returns.value if isinstance(node.returns, ast.Constant) else ast.unparse(node.returns)
    return re.split(r"[.\[]", str(text).partition("[")[0])[-1] in _NOTHING
