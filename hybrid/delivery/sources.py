"""Files that say what a code location is, read with suspicion: bounded, inside their folder, plain values, with lines.

Every way in which such a file can be wrong ends in one ``SettingsError`` that names the file and, where there is one,
the line.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from hybrid.errors import SettingsError

MAX_BYTES: Final = 256 * 1024
"""The largest file that is read as settings; the files people write are a few kilobytes."""

MAX_VALUES: Final = 20_000
"""How many values a YAML file may hold once its aliases are followed; a few lines of aliases can stand for billions."""

_TAG: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Source:
    """The text of one file, and its name as errors show it."""

    shown: str
    text: str

    @classmethod
    def read(cls, path: Path, *, folder: Path, origin: str | None = None, limit: int = MAX_BYTES) -> Source | None:
        """The file at ``path``, or None when there is none. ``origin`` is how ``folder`` is shown; by default by its
        name and its parent's.

        Refused: what is no file, what lies outside ``folder`` once links are followed, what is over ``limit`` bytes,
        and what is not UTF-8.
        """
        origin = origin or f"{folder.parent.name}/{folder.name}"
        shown = f"{origin}/{path.relative_to(folder)}"
        if not path.is_symlink() and not path.exists():
            return None
        _refuse_outside(path, folder=folder, origin=origin)
        if not path.is_file():
            raise SettingsError(f"{shown} is not a file.", next_step="remove it, or put a file in its place.")
        try:
            with path.open("rb") as file:
                content = file.read(limit + 1)
            if len(content) > limit:
                raise SettingsError(
                    f"{shown} is larger than {limit // 1024} KiB.",
                    why="It is read as settings, which are small.",
                    next_step="move what is not settings out of it.",
                )
            return cls(shown, content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise SettingsError(f"{shown}, line {line}: not UTF-8 text.", next_step="save it as UTF-8.") from None
        except OSError as error:
            raise SettingsError(
                f"{shown} cannot be read.", why=str(error.strerror), next_step="mend its permissions."
            ) from None

    def wrong(self, line: int | None, why: str, *, next_step: str = "mend that line.") -> SettingsError:
        """The error for ``line`` (from 1) of this file."""
        where = self.shown if line is None else f"{self.shown}, line {line}"
        return SettingsError(f"{where}: {why}", next_step=next_step)


@dataclass(frozen=True)
class Place:
    """A folder that files are read from, and its name as errors show it."""

    path: Path
    shown: str

    def read(self, name: str, *, limit: int = MAX_BYTES) -> Source | None:
        """The file ``name`` of this folder; see ``Source.read``."""
        return Source.read(self.path / name, folder=self.path, origin=self.shown, limit=limit)

    def below(self, *parts: str) -> Place:
        return Place(self.path.joinpath(*parts), "/".join([self.shown, *parts]))


def raise_all(wrong: Sequence[SettingsError], *, where: str) -> None:
    """Raise what is in ``wrong``, all of it as one error; nothing when it is empty."""
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise SettingsError(
            f"{len(wrong)} things are wrong {where}:",
            why="\n\n".join(error.sentence() for error in wrong),
            next_step="mend them, and run the command again.",
        )


class Toml:
    """A TOML file's tables and the lines where they stand."""

    def __init__(self, source: Source) -> None:
        self.source = source
        try:
            self._values = tomllib.loads(source.text)
        except (ValueError, RecursionError) as error:
            # ValueError: also numbers of more digits than Python converts; RecursionError: arrays nested too deep
            found = re.search(r"at line (\d+)", str(error))
            line = int(found[1]) if found else source.text.count("\n") + 1
            what = str(error).split(" (at ")[0] if isinstance(error, ValueError) else "nested too deep"
            raise source.wrong(line, f"not TOML: {what}.") from None

    def table(self, path: str) -> Mapping[str, Any] | None:
        """The table ``path`` (as in ``tool.dg.project``), or None when there is none."""
        value: Any = self._values
        for depth, name in enumerate(path.split(".")):
            if not isinstance(value, dict):
                parent = ".".join(path.split(".")[:depth])
                raise self.source.wrong(self.line(parent), f"`{parent}` is not a table.")
            value = value.get(name)
            if value is None:
                return None
        if not isinstance(value, dict):
            raise self.source.wrong(self.line(path), f"`{path}` is not a table.")
        return value

    def text(self, path: str, key: str, *, pattern: re.Pattern[str], allowed: str) -> str | None:
        """The text at ``key`` of the table ``path``; it must match all of ``pattern``, which ``allowed`` puts in
        words."""
        value = (self.table(path) or {}).get(key)
        if value is None or (isinstance(value, str) and pattern.fullmatch(value)):
            return value
        raise self.source.wrong(self.line(path, key), f"`{key}` of [{path}] is not {allowed}.")

    def line(self, path: str, key: str | None = None) -> int:
        """The line of the table ``path``, or of ``key`` in it: exact for the usual layout, else the nearest that says
        the name."""
        lines = self.source.text.splitlines()
        table, header = "", 1
        for number, text in enumerate(lines, start=1):
            if found := re.match(r"\s*\[\[?([^\]]+)\]", text):
                table = re.sub(r"[\"'\s]", "", found[1])
                if table == path:
                    header = number
            elif key and table == path and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", text):
                return number
        if header == 1 or key:
            word = re.compile(rf"\b{re.escape(key or path.rpartition('.')[2])}\b")
            return next((number for number, text in enumerate(lines, start=1) if word.search(text)), header)
        return header


class YamlMapping:
    """A YAML file that is a mapping of plain values (what JSON can say), and the lines of its keys. An empty file is an
    empty mapping."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines: dict[str, int] = {}
        self.values: dict[str, Any] = {}
        self._root: yaml.Node | None = None
        try:
            loader = yaml.SafeLoader(source.text)
            root = loader.get_single_node()
            if root is None:
                return
            if not isinstance(root, yaml.MappingNode):
                raise source.wrong(root.start_mark.line + 1, "not a mapping of keys to values.")
            self._check(root, loader)
            self.lines = {key.value: key.start_mark.line + 1 for key, _ in root.value}
            self._root = root
            self.values = loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise source.wrong(mark.line + 1 if mark else None, f"not YAML: {error.problem}.") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            # ValueError: a number of more digits than Python converts; RecursionError: nested too deep
            what = "nested too deep" if isinstance(error, RecursionError) else str(error).splitlines()[0]
            raise source.wrong(None, f"not YAML: {what}.") from None

    def line(self, *path: str | int) -> int:
        """The line of the value at ``path`` (keys of mappings, places in lists), or of the nearest above it that is
        written out."""
        node, line = self._root, 1
        for step in path:
            found = _below(node, step)
            if found is None:
                break
            line, node = found
        return line

    def _check(self, root: yaml.Node, loader: yaml.SafeLoader) -> None:
        """Refuse more values than anyone writes, keys that repeat, and what is not plain. It goes by nodes, before any
        value is made of them."""
        count, rest = 0, [root]
        while rest:
            node = rest.pop()
            count += 1
            if count > MAX_VALUES:
                raise self.source.wrong(None, f"more than {MAX_VALUES} values, its aliases followed.")
            if not _is_plain(node, loader):
                raise self.source.wrong(
                    node.start_mark.line + 1,
                    f"a value of the kind {node.tag.rpartition(':')[2]} has no counterpart in JSON.",
                    next_step="put quotes around it, or leave it out.",
                )
            if isinstance(node, yaml.SequenceNode):
                rest += node.value
            elif isinstance(node, yaml.MappingNode):
                self._check_keys(node)
                rest += [value for _, value in node.value]

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag not in {_TAG + "str", _TAG + "merge"} or not isinstance(key, yaml.ScalarNode):
                raise self.source.wrong(line, "a key is not a text.", next_step="put quotes around it.")
            if key.value in seen:
                raise self.source.wrong(line, f"`{key.value}` is there twice.")
            seen.add(key.value)


def _below(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        # what a merge key brings in is put before the mapping's own keys, which override it
        found = ((key.start_mark.line + 1, value) for key, value in reversed(node.value) if key.value == step)
        return next(found, None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _is_plain(node: yaml.Node, loader: yaml.SafeLoader) -> bool:
    if isinstance(node, yaml.MappingNode):
        return bool(node.tag == _TAG + "map")
    if isinstance(node, yaml.SequenceNode):
        return bool(node.tag == _TAG + "seq")
    if not isinstance(node, yaml.ScalarNode) or node.tag == _TAG + "str":
        return isinstance(node, yaml.ScalarNode)
    if node.tag == _TAG + "float":
        return math.isfinite(loader.construct_yaml_float(node))
    # a tag that was written out, such as !!bool on a word that is none, is no more than a way to break the reader
    implied = loader.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]  # of the stubs
    return node.tag in {_TAG + "int", _TAG + "bool", _TAG + "null"} and node.tag == implied


def _refuse_outside(path: Path, *, folder: Path, origin: str) -> None:
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself
        inside = False
    if not inside:
        raise SettingsError(
            f"{origin}/{path.relative_to(folder)} leads out of its folder.",
            why="A code location is one folder: what lies outside is neither in its image nor in its content hash.",
            next_step=f"put what it leads to into {origin}.",
        )
