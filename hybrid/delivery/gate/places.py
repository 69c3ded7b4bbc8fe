"""Where in its files a value of a location's document stands: a path of keys to a file and a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from hybrid.delivery.sources import Source

CONTEXT: Final = "container_context"
_DEEPEST: Final = 50

KeyPath = tuple[str | int, ...]
"""Keys and list indexes from the document's root, as ``("container_context", "ecs", "env_vars", 0)``."""


@dataclass(frozen=True)
class YamlLines:
    """The lines of the keys of one YAML file. Only nodes are looked at: no value is made, aliases are not unfolded."""

    source: Source
    _root: yaml.Node | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            root = yaml.compose(self.source.text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, ValueError, RecursionError):
            root = None  # the catalog has words for it
        object.__setattr__(self, "_root", root)

    def line(self, path: KeyPath, value: Any = None) -> tuple[int, int] | None:
        """How many keys of ``path`` this file has, and the line of the last of them (from 1); None: not even the first.

        An item of a list is found by its ``value`` first and by its index second: lists of several files are merged,
        and their indexes are of no file.
        """
        node, found = self._root, None
        for depth, key in enumerate(path[:_DEEPEST], start=1):
            last = depth == len(path)
            child = _item(node, key, value if last else None) if isinstance(key, int) else _child(node, key)
            if child is None:
                break
            line, node = child
            found = (depth, line)
        return found


@dataclass(frozen=True)
class Places:
    """The files that a document's container context was read from, the base first and overlays after it."""

    files: Sequence[YamlLines] = ()

    @classmethod
    def of(cls, files: Sequence[Path]) -> Places:
        """Those of ``files`` that are there; the base first, overlays after it."""
        read = (Source.read(file, folder=file.parent) for file in files)
        return cls(tuple(YamlLines(source) for source in read if source is not None))

    def where(self, path: KeyPath, value: Any = None) -> str | None:
        """``file, line``: the file that knows most of ``path``, of several the last. None: it is in no file."""
        if not path or path[0] != CONTEXT:
            return None
        best: tuple[int, int, str] | None = None
        for file in self.files:
            found = file.line(path[1:], value)
            if found is not None and (best is None or found[0] >= best[0]):
                best = (*found, file.source.shown)
        return f"{best[2]}, line {best[1]}" if best else None


def _child(node: yaml.Node | None, key: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return name.start_mark.line + 1, value
    return None


def _item(node: yaml.Node | None, index: int, value: Any) -> tuple[int, yaml.Node] | None:
    if not isinstance(node, yaml.SequenceNode):
        return None
    same = [item for item in node.value if isinstance(item, yaml.ScalarNode) and item.value == str(value)]
    chosen = same or node.value[index : index + 1]
    return (chosen[0].start_mark.line + 1, chosen[0]) if chosen else None
