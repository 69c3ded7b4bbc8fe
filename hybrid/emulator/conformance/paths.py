"""Every path of Dagster+'s own address in the source of the installed clients.

A path is what follows an address in an f-string or a sum: ``f"{self.dagster_cloud_url}/store_events"``. Where the
method is to be seen, in the call or in a call that uses the property which gives the address, it is given too.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hybrid.emulator.conformance.sources import PACKAGES, Source, modules

_METHODS: Final = {"get", "head", "put", "post", "patch", "delete"}
_ADDRESS: Final = re.compile(r"url|address|host", re.IGNORECASE)
_PATH: Final = re.compile(r"/?[a-z][\w/-]*")
# Addresses of others, and of what is no request: what follows them is not Dagster+'s.
_OTHERS: Final = re.compile(r"github|project_url|registry|\bgit_|commit_url")


@dataclass(frozen=True)
class Path:
    """A path and the methods that are seen with it. ``places`` are ``module:function``."""

    package: str
    path: str
    methods: frozenset[str]
    places: tuple[str, ...]


def found_paths(packages: Iterable[str] = PACKAGES) -> list[Path]:
    """The paths of ``packages``, by package and path."""
    sources = [source for package in packages for source in modules(package)]
    uses = _methods_of_attributes(sources)
    found: dict[tuple[str, str], Path] = {}
    for source in sources:
        for function, node, method in _placed(source.tree):
            path = _path(node)
            if path is None:
                continue
            before = found.get((source.package, path))
            methods = {method} if method else uses.get(function.rsplit(".", 1)[-1], set())
            found[source.package, path] = Path(
                source.package,
                path,
                frozenset(methods) | (before.methods if before else frozenset()),
                (*(before.places if before else ()), f"{source.module}:{function}"),
            )
    return sorted(found.values(), key=lambda path: (path.package, path.path))


def _path(node: ast.expr) -> str | None:
    """The path that ``node`` puts behind an address; None if it does not."""
    if isinstance(node, ast.JoinedStr):
        parts = node.values
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    else:
        return None
    for address, rest in itertools.pairwise(parts):
        shown = ast.unparse(address)
        if isinstance(address, ast.Constant) or not _ADDRESS.search(shown) or _OTHERS.search(shown):
            continue
        if isinstance(rest, ast.Constant) and isinstance(rest.value, str):
            path = _PATH.match(rest.value)
            return "/" + path[0].strip("/") if path else None
    return None


def _placed(tree: ast.Module) -> Iterator[tuple[str, ast.expr, str | None]]:
    """Each expression with the function around it and the HTTP method of the call around it."""

    def walk(node: ast.AST, function: str, method: str | None) -> Iterator[tuple[str, ast.expr, str | None]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from walk(child, f"{function}.{child.name}".removeprefix("module."), None)
                continue
            if isinstance(child, ast.expr):
                yield function, child, method
            yield from walk(child, function, _method(child) or method)

    yield from walk(tree, "module", None)


def _method(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        return node.func.attr.upper()
    return None


def _methods_of_attributes(sources: Iterable[Source]) -> dict[str, set[str]]:
    """By the attribute's name: the methods of the calls that it is an argument of."""
    found: dict[str, set[str]] = {}
    for source in sources:
        for _, node, method in _placed(source.tree):
            if method and isinstance(node, ast.Attribute):
                found.setdefault(node.attr, set()).add(method)
    return found
