"""A keyword argument put into the one ``Definitions(...)`` of a Python file, all other bytes left as they are.

Places come from ``ast``; what is inserted is inserted in the bytes. The result is parsed again, and taken only when it
says what the old one said with just that argument and that import more.
"""

from __future__ import annotations

import ast
import re
from typing import Final

_NEWLINE: Final = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CODING: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


class Unclear(Exception):
    """The file does not show one unambiguous place; ``why`` is part of a sentence."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def with_executor(text: str, executor: str) -> str:
    """``text`` with ``executor=<executor>`` in its one call of ``dagster.Definitions``, imported if it has to be.

    A file that says so already stays as it is.

    Raises ``Unclear`` when there is not exactly one such call, or when it cannot be told what it is given already.
    """
    content = text.encode()
    tree = _parsed(content)
    module, call = _the_call(tree)
    if _is_given(call, f"{module}.{executor}" if module else executor):
        return text
    _refuse_unclear(tree, call, module, executor)
    places = _Places(content)
    insertions: list[tuple[int, bytes]] = []
    if module is not None:
        spelled = f"{module}.{executor}"
    else:
        spelled = executor
        if not _is_imported(tree, executor):
            insertions.append(_import_after(_import_of_definitions(tree), places, executor))
    insertions += _argument(call, places, f"executor={spelled}")
    changed, done = b"", 0
    for at, inserted in sorted(insertions, key=lambda each: each[0]):
        changed, done = changed + content[done:at] + inserted, at
    changed += content[done:]
    _require_only_that(tree, changed, executor)
    return changed.decode()


def count_of_definitions(text: str) -> int:
    """How many calls of ``dagster.Definitions`` a file has; 0 also for one that is no Python."""
    try:
        return len(_calls(_parsed(text.encode())))
    except Unclear:
        return 0


def _parsed(content: bytes) -> ast.Module:
    for line in _NEWLINE.split(content, maxsplit=2)[:2]:
        coding = _CODING.match(line)
        if coding and coding[1].lower().replace(b"_", b"-") not in {b"utf-8", b"utf8"}:
            raise Unclear("it is not written in UTF-8")
    if b"\x00" in content or b"\x0c" in content:
        raise Unclear("it has control characters")
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unclear("it is not Python of this version") from None


def _calls(tree: ast.Module) -> list[tuple[str | None, ast.Call]]:
    """With the module's name where it is called by one (``dg.Definitions``)."""
    names, modules = _names(tree, "Definitions"), _modules(tree)
    found: list[tuple[str | None, ast.Call]] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in names:
            found.append((None, node))
        elif (
            isinstance(called, ast.Attribute)
            and called.attr == "Definitions"
            and isinstance(called.value, ast.Name)
            and called.value.id in modules
        ):
            found.append((called.value.id, node))
    return found


def _the_call(tree: ast.Module) -> tuple[str | None, ast.Call]:
    calls = _calls(tree)
    if len(calls) != 1:
        raise Unclear(f"it has {len(calls) or 'no'} calls of `Definitions`")
    return calls[0]


def _is_given(call: ast.Call, executor: str) -> bool:
    return any(keyword.arg == "executor" and ast.unparse(keyword.value) == executor for keyword in call.keywords)


def _refuse_unclear(tree: ast.Module, call: ast.Call, module: str | None, executor: str) -> None:
    if any(keyword.arg is None for keyword in call.keywords) or any(isinstance(arg, ast.Starred) for arg in call.args):
        raise Unclear("its `Definitions` takes arguments that are not written there")
    if len(call.args) > 5:  # assets, schedules, sensors, jobs, resources, executor: their order in dagster 1.13
        raise Unclear("its `Definitions` is given many arguments by their places")
    if any(keyword.arg == "executor" for keyword in call.keywords):
        raise Unclear("its `Definitions` has an executor already")
    merged = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "merge" and (_ends_with_definitions(node.value))
    ]
    if merged:
        raise Unclear("it merges several definitions")
    wanted = module if module is not None else executor
    if _bound_elsewhere(tree, {wanted, "Definitions"} if module is None else {wanted}):
        raise Unclear(f"`{wanted}` or `Definitions` is given another meaning in it")


def _ends_with_definitions(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "Definitions") or (
        isinstance(node, ast.Attribute) and node.attr == "Definitions"
    )


def _names(tree: ast.Module, name: str) -> set[str]:
    """What ``from dagster import name`` at the top of the file calls it; only the name itself counts."""
    return {
        name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "dagster" and node.level == 0
        for alias in node.names
        if alias.name == name and alias.asname in (None, name)
    }


def _modules(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "dagster"
    }


def _is_imported(tree: ast.Module, name: str) -> bool:
    return bool(_names(tree, name))


def _bound_elsewhere(tree: ast.Module, names: set[str]) -> bool:
    """Whether one of ``names`` is bound by anything but an import of it from dagster at the top of the file."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                bound = {name}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound = {name}
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound = {name}
            case ast.MatchMapping(rest=str(name)):
                bound = {name}
            case ast.Import(names=aliases):
                bound = {
                    alias.asname or alias.name.partition(".")[0]
                    for alias in aliases
                    if alias.name != "dagster" and not (alias.asname is None and alias.name.startswith("dagster."))
                }
            case ast.ImportFrom(module=module, names=aliases):
                ours = module == "dagster" and node.level == 0 and node in tree.body
                bound = {
                    each.asname or each.name for each in aliases if not (ours and each.asname in (None, each.name))
                }
                bound |= names if any(each.name == "*" for each in aliases) else set()
            case _:
                continue
        if bound & names:
            return True
    return False


def _import_of_definitions(tree: ast.Module) -> ast.ImportFrom:
    return next(
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        and node.module == "dagster"
        and any(alias.name == "Definitions" for alias in node.names)
    )


class _Places:
    """Positions of ``ast`` (a line from 1, bytes in it) as offsets in the file."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._starts = [0, *(found.end() for found in _NEWLINE.finditer(content))]
        self._mark = len(_BYTE_ORDER_MARK) if content.startswith(_BYTE_ORDER_MARK) else 0
        first = _NEWLINE.search(content)
        self.newline = first[0] if first else b"\n"

    def offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column + (self._mark if line == 1 else 0)

    def end_of(self, node: ast.stmt | ast.expr) -> int:
        return self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def rest_of_line(self, at: int) -> bytes:
        found = _NEWLINE.search(self.content, at)
        return self.content[at : found.start() if found else len(self.content)]


def _import_after(statement: ast.ImportFrom, places: _Places, name: str) -> tuple[int, bytes]:
    end = places.end_of(statement)
    rest = places.rest_of_line(end)
    if rest.strip() and not rest.strip().startswith(b"#"):
        raise Unclear("its import of `Definitions` shares a line with something else")
    at = end + len(rest)
    return at, places.newline + f"from dagster import {name}".encode()


def _argument(call: ast.Call, places: _Places, argument: str) -> list[tuple[int, bytes]]:
    """Behind the last argument, in the manner of the call: on a line of its own or on the same."""
    given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    closing = places.end_of(call) - 1
    if not given:
        return [(closing, argument.encode())]
    owner = max(given, key=lambda each: (each.lineno, each.col_offset))
    value = owner.value if isinstance(owner, ast.keyword) else owner
    last, comma = _after_last(places, places.end_of(value), closing)
    before = places.content[places.offset(owner.lineno, 0) : places.offset(owner.lineno, owner.col_offset)]
    if owner.lineno == call.lineno or before.strip():
        return [(last, (b" " if comma else b", ") + argument.encode())]
    lead, rest = places.newline + before, places.rest_of_line(last)
    if rest.strip() and not rest.strip().startswith(b"#"):
        rest = b""
    separator = [] if comma else [(last, b",")]
    return [*separator, (last + len(rest), lead + argument.encode() + (b"," if comma else b""))]


def _after_last(places: _Places, end: int, closing: int) -> tuple[int, bool]:
    """Where an argument can follow: behind the last one's own parentheses, and behind its comma if it has one."""
    at, comma = end, False
    segment = places.content[end:closing].decode()
    for sign, stop in _signs(segment):
        if sign in {")", ","}:
            at, comma = end + len(segment[:stop].encode()), sign == ","
        elif not sign.startswith("#"):
            raise Unclear("the end of its `Definitions` cannot be read")
    return at, comma


def _signs(segment: str) -> list[tuple[str, int]]:
    """Parentheses, commas and comments between an argument and the end of its call, with their ends."""
    found = re.finditer(r"#[^\r\n]*|[),]|\\(?=\r?\n|\r)|\S", segment)
    return [(match[0], match.end()) for match in found if match[0] != "\\"]


def _require_only_that(before: ast.Module, changed: bytes, executor: str) -> None:
    after = _parsed(changed)
    calls = _calls(after)
    if len(calls) != 1:
        raise Unclear("it cannot be changed without changing more")
    call = calls[0][1]
    call.keywords = [keyword for keyword in call.keywords if keyword.arg != "executor"]
    had = _is_imported(before, executor)
    if not had:
        after.body = [node for node in after.body if not _imports_only(node, executor)]
    if ast.dump(after) != ast.dump(before):
        raise Unclear("it cannot be changed without changing more")


def _imports_only(node: ast.stmt, name: str) -> bool:
    return (
        isinstance(node, ast.ImportFrom) and node.module == "dagster" and [alias.name for alias in node.names] == [name]
    )
