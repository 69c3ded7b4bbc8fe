"""Single keys of a YAML file, changed where they stand: everything else, comments above all, stays to the letter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import yaml

from hybrid.delivery.yaml_extent import extent
from hybrid.errors import HybridError

Values = Mapping[str, Any]


def parsed(text: str, file: str) -> dict[str, Any]:
    """The file's mapping, empty for an empty file. Raises ``HybridError`` when it is something else."""
    try:
        value = yaml.load(text, _Plain)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" (line {place.line + 1})" if place is not None else ""
        raise HybridError(
            f"{file} is no YAML of one document without aliases{line}.",
            next_step="mend it, then run the same command again.",
        ) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise HybridError(f"{file} holds no mapping of keys to values.", next_step="look at what it is.")
    return value


class _Plain(yaml.SafeLoader):
    """Refuses aliases: a few of them make a value of any size."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(problem="an alias", problem_mark=self.get_mark())
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def edited(text: str, values: Values, removed: Collection[str], file: str) -> str:
    """``text`` with each key of ``values`` at its value and without the keys ``removed``.

    The result is read again: unless it holds what the file held, with just these keys changed, ``HybridError`` is
    raised and nothing is lost. That refuses what cannot be changed in place: anchors, tags, several documents.
    """
    before = parsed(text, file)
    wanted = {key: value for key, value in before.items() if key not in removed} | dict(values)
    result = text
    for key in removed:
        if key in before:
            result = _without(result, key)
    for key, value in values.items():
        if key not in before:
            result = _with_line(result, key, value)
        elif before[key] != value or type(before[key]) is not type(value):
            result = _with_value(result, key, value)
    try:
        holds = parsed(result, file) == wanted
    except HybridError:
        holds = False
    if not holds:
        raise HybridError(
            f"{file} cannot be changed without touching the rest of it.",
            why=f"Its form is too special to set {', '.join([*values, *removed])} in place.",
            next_step="write these keys on lines of their own (`key: value`), then run the same command again.",
        )
    return result


def _with_value(text: str, key: str, value: Any) -> str:
    found = _entry(text, key)
    if found is None:
        return text
    name, node = found
    # what follows the key begins right after its colon, unless it is there: an empty value has no place of its own
    is_empty = extent(text, node) <= node.start_mark.index
    begin = text.index(":", name.end_mark.index) + 1 if is_empty else node.start_mark.index
    end = max(extent(text, node), begin)
    between = "" if text[begin - 1] == " " else " "
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        begin = text.index(":", name.end_mark.index) + 1
        between = " "
    return f"{text[:begin]}{between}{_flow(value)}{text[end:]}"


def _with_line(text: str, key: str, value: Any) -> str:
    start = f"{text}\n" if text and not text.endswith("\n") else text
    return f"{start}{_flow(key)}: {_flow(value)}\n"


def _without(text: str, key: str) -> str:
    found = _entry(text, key)
    if found is None:
        return text
    name, node = found
    begin = text.rfind("\n", 0, name.start_mark.index) + 1
    end = text.find("\n", max(extent(text, node), name.end_mark.index))
    return text[:begin] + (text[end + 1 :] if end >= 0 else "")


def _entry(text: str, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    entries = root.value if isinstance(root, yaml.MappingNode) else []
    return next(((name, node) for name, node in entries if name.value == key), None)


def _flow(value: Any) -> str:
    """The value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("...\n").strip()
