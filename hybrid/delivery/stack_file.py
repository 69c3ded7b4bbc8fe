"""Single settings of a stack file, changed where they stand.

A stack file is a person's: it is changed where the value stands and nowhere else. The new text is read again, and
unless it says what the old one said with just that value changed, nothing is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from hybrid.delivery.sources import Source, YamlMapping
from hybrid.delivery.yaml_extent import extent
from hybrid.errors import SettingsError, UsageError

CONFIG: Final = "config"

Value = str | int
Setting = Value | list[str]
"""What can be written. A list is of texts that could be settings by themselves; it stands on one line."""
Keys = Sequence[str]
"""The keys that lead to a value from the top of the file: ``("config", "hybrid:agent", "replicas")``."""

_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}$")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(:[A-Za-z_][A-Za-z0-9_-]*)?")
_ONE_LINE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:/@+-]{0,511}")
_WORDS_OF_YAML: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


class StackFile:
    """The file of a stack as it was when this was made."""

    def __init__(self, path: Path) -> None:
        """Raises ``SettingsError`` when it is not there, is no YAML of plain values, or says what cannot be."""
        self._path = path.resolve()  # a link stays a link: what it leads to is changed
        self.shown = f"{path.parent.name}/{path.name}"
        if not path.exists():
            raise SettingsError(
                f"{self.shown} does not exist.",
                next_step="`hybrid up local` makes the local one; for others write that file (docs/settings.md).",
            )
        source = Source.read(self._path, folder=self._path.parent)  # bounded, UTF-8
        self._bytes = self._path.read_bytes()
        if source is None or self._bytes.decode("utf-8-sig") != source.text:
            raise self._changed()
        self.text = self._bytes.decode("utf-8")

    def setting(self, *keys: str) -> Any:
        """The value of a setting, such as ``setting("hybrid:agent", "replicas")``; None when the file has none."""
        found: Any = values_of(self.text, self.shown)
        for key in (CONFIG, *keys):
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def set(self, keys: Keys, value: Setting) -> bool:
        """Give the setting below ``config`` that value; whether the file had to be changed for it."""
        return self.write(with_value(self.text, (CONFIG, *keys), value, self.shown))

    def remove(self, keys: Keys) -> bool:
        """Take the setting below ``config`` out; whether the file had to be changed for it."""
        return self.write(without_value(self.text, (CONFIG, *keys), self.shown))

    def write(self, text: str) -> bool:
        """Make ``text`` the file's, at once or not at all; whether it is another one than before.

        Raises ``SettingsError`` when somebody else wrote the file meanwhile, or it cannot be written.
        """
        if text == self.text:
            return False
        beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            mode = stat.S_IMODE(self._path.stat().st_mode)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            if self._path.read_bytes() != self._bytes:
                raise self._changed()
            beside.replace(self._path)
        except OSError as error:
            raise SettingsError(
                f"{self.shown} cannot be written.",
                why=error.strerror,
                next_step="free disk space or mend the folder's permissions, then run the command again.",
            ) from None
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
        self.text, self._bytes = text, text.encode()
        return True

    def _changed(self) -> SettingsError:
        return SettingsError(
            f"{self.shown} changed while it was worked on.",
            why="Somebody else wrote it, and what they wrote would be lost.",
            next_step="run the same command again: it starts from what is there now.",
        )


def values_of(text: str, file: str) -> dict[str, Any]:
    """What the file says: plain values only, no key twice, aliases bounded."""
    return YamlMapping(Source(file, text)).values


def with_value(text: str, keys: Keys, value: Setting, file: str) -> str:
    """``text`` with ``value`` at ``keys``. Raises ``SettingsError`` when that cannot be written in place."""
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if wrong := [text for text in texts if not _ONE_LINE.fullmatch(text)]:
        raise UsageError(f"'{wrong[0]}' cannot be a setting.", next_step="give a text of one line without blanks.")
    if not all(_KEY.fullmatch(key) for key in keys[:-1]):
        raise UsageError(f"'{'.'.join(keys)}' cannot be a setting's name.", next_step="see docs/settings.md.")
    before = values_of(text, file)
    wanted = _changed_at(before, keys, value, file)
    if _same(before, wanted):
        return text
    return _verified(wanted, _with(text, keys, value), keys, file)


def without_value(text: str, keys: Keys, file: str) -> str:
    """``text`` without what is at ``keys``. A mapping above it that would be left empty goes too, ``config`` aside."""
    before = values_of(text, file)
    above = _at(before, keys[:-1])
    if not isinstance(above, dict) or keys[-1] not in above:
        return text
    return _verified(_removed_at(before, keys), _without(text, keys), keys, file)


def _changed_at(values: dict[str, Any], keys: Keys, value: Setting, file: str) -> dict[str, Any]:
    """Copies along the way only: what an alias shares must not change with it."""
    key, *below = keys
    if not below:
        return {**values, key: value}
    inner = {} if values.get(key) is None else values[key]
    if not isinstance(inner, dict):
        raise not_a_mapping(key, file)
    return {**values, key: _changed_at(inner, below, value, file)}


def _removed_at(values: dict[str, Any], keys: Keys) -> dict[str, Any]:
    key, *below = keys
    others = {name: value for name, value in values.items() if name != key}
    if not below:
        return others
    inner = _removed_at(values[key], below)
    return {**values, key: inner} if inner or key == CONFIG else others


def not_a_mapping(key: str, file: str) -> SettingsError:
    return SettingsError(
        f"{key} in {file} is not a mapping.",
        next_step=f"write `{key}:` with keys and values on lines below it, indented (docs/settings.md).",
    )


def _at(values: Any, keys: Keys) -> Any:
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _verified(wanted: dict[str, Any], candidates: Iterator[str], keys: Keys, file: str) -> str:
    """The first candidate that says just what is wanted."""
    for candidate in candidates:
        try:
            found = values_of(candidate, file)
        except SettingsError:
            continue
        if _same({**found, CONFIG: found.get(CONFIG) or {}}, {**wanted, CONFIG: wanted.get(CONFIG) or {}}):
            return candidate
    setting = ".".join(keys[1:])
    raise SettingsError(
        f"{file} cannot be changed without touching the rest of it.",
        why=f"Its form is too special to change {setting} in place: an anchor, an alias or a merge key, for example.",
        next_step=f"change {setting} by hand (docs/settings.md), then run the command again.",
    )


def _same(one: Any, other: Any) -> bool:
    """Equal, and of equal types: YAML's 1 is not its true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and bool(one == other)


Entry = tuple[yaml.Node, yaml.Node]


def _with(text: str, keys: Keys, value: Setting) -> Iterator[str]:
    root = _root(text)
    above: Entry | None = None
    for depth, key in enumerate(keys):
        entry = _entry(above[1] if above else root, key)
        if entry is None:
            lines = _lines(keys[depth:], value)
            yield from _added_below(text, above, lines) if above else _added(text, root, lines)
            return
        above = entry
    if above is not None:
        yield from _replaced(text, above[1], value)


def _replaced(text: str, node: yaml.Node, value: Setting) -> Iterator[str]:
    begin, end = node.start_mark.index, node.end_mark.index
    quote = node.style if isinstance(node, yaml.ScalarNode) and node.style in ("'", '"') else ""
    if quote and isinstance(value, str):
        yield f"{text[:begin]}{quote}{value}{quote}{text[end:]}"
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:  # below its key: one line takes its place
        yield f"{text[: text.rindex(':', 0, begin) + 1]} {scalar(value)}{text[extent(text, node) :]}"
        return
    if begin == end:  # a key without a value
        begin = end = text.rindex(":", 0, begin + 1) + 1
        yield f"{text[:begin]} {scalar(value)}{text[end:]}"
        return
    yield f"{text[:begin]}{value if isinstance(value, str) else scalar(value)}{text[end:]}"
    yield f"{text[:begin]}{scalar(value)}{text[end:]}"


def _without(text: str, keys: Keys) -> Iterator[str]:
    """Without the outermost mapping that holds nothing else first."""
    entries: list[tuple[yaml.Node, Entry]] = []
    node = _root(text)
    for key in keys:
        entry = _entry(node, key)
        if node is None or entry is None:
            return
        entries.append((node, entry))
        node = entry[1]
    last = len(entries) - 1
    outermost = last
    while outermost > 1 and len(entries[outermost][0].value) == 1:
        outermost -= 1
    for depth in dict.fromkeys((outermost, last)):
        yield from _removed(text, *entries[depth])


def _lines(keys: Keys, value: Setting) -> list[str]:
    """The lines of a block that leads to ``value``; keys of a file's own are plain, names of people's are quoted."""
    *outer, name = keys
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(outer)]
    return [*lines, f"{'  ' * len(outer)}{name if ':' in name else scalar(name)}: {scalar(value)}"]


def _root(text: str) -> yaml.Node | None:
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _entry(node: yaml.Node | None, key: str) -> Entry | None:
    """The key of a mapping and its value, as nodes with their places in the text."""
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    return next(((name, value) for name, value in entries if name.value == key), None)


def _added_below(text: str, entry: Entry, lines: list[str]) -> Iterator[str]:
    """Texts with ``lines`` as one more entry of the mapping that is the value of ``entry``."""
    key, value = entry
    if isinstance(value, yaml.MappingNode) and value.value:
        yield from _added(text, value, lines)
        return
    # empty, `null` or `{}`: a block below the key takes its place
    begin, end = value.start_mark.index, value.end_mark.index
    if begin == end:
        begin = end = text.index(":", key.end_mark.index) + 1
    bare = f"{text[:begin].rstrip(' ') if begin != end else text[:begin]}{text[end:]}"
    at = _line_end(bare, min(begin, len(bare)) - 1)
    yield _inserted(bare, at, lines, key.start_mark.column + 2)


def _added(text: str, mapping: yaml.Node | None, lines: list[str]) -> Iterator[str]:
    """Texts with ``lines`` as one more entry of ``mapping``, None: of an empty document."""
    if not isinstance(mapping, yaml.MappingNode) or not mapping.value:
        yield _inserted(text, len(text.rstrip("\r\n")), lines, 0)
        return
    first, last = mapping.value[0][0], mapping.value[-1][1]
    if mapping.flow_style:
        end = last.end_mark.index
        yield f"{text[:end]}, {_flow(lines)}{text[end:]}"
        return
    column = first.start_mark.column
    yield _inserted(text, _line_end(text, max(extent(text, last), mapping.value[-1][0].end_mark.index)), lines, column)
    # the last value may be one whose end cannot be moved, such as a text that keeps its blank lines
    begin = first.start_mark.index
    if not text[begin - column : begin].strip(" "):
        newline = _newline(text)
        block = "".join(f"{' ' * column}{line}{newline}" for line in lines)
        yield f"{text[: begin - column]}{block}{text[begin - column :]}"


def _inserted(text: str, at: int, lines: list[str], column: int) -> str:
    """``lines`` on lines of their own after the line that ends ``at``."""
    newline = _newline(text)
    block = newline.join(f"{' ' * column}{line}" for line in lines)
    if not text[:at].strip("\ufeff"):
        return f"{text[:at]}{block}{newline}{text[at:].lstrip(newline)}"
    return f"{text[:at]}{newline}{block}{text[at:] or newline}"


def _removed(text: str, mapping: yaml.Node, entry: Entry) -> Iterator[str]:
    key, value = entry
    if isinstance(mapping, yaml.MappingNode) and mapping.flow_style:
        index = next(number for number, item in enumerate(mapping.value) if item[0] is key)
        if index:  # with the comma before it, else with the one after it
            yield f"{text[: mapping.value[index - 1][1].end_mark.index]}{text[value.end_mark.index :]}"
        elif len(mapping.value) > 1:
            yield f"{text[: key.start_mark.index]}{text[mapping.value[1][0].start_mark.index :]}"
        else:
            yield f"{text[: key.start_mark.index]}{text[value.end_mark.index :]}"
        return
    begin = key.start_mark.index - key.start_mark.column
    end = _line_end(text, max(extent(text, value), key.end_mark.index))
    newline = _newline(text)
    yield text[:begin] + text[end:].removeprefix(newline)


def _line_end(text: str, index: int) -> int:
    """Where the line at ``index`` ends, before its line break."""
    end = text.find("\n", max(index, 0))
    if end < 0:
        return len(text)
    return end - 1 if text[end - 1] == "\r" else end


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _flow(lines: list[str]) -> str:
    """The entry that ``lines`` are as a block, within braces."""
    key, *below = lines
    if not below:
        return key.strip()
    return f'"{key.strip().removesuffix(":")}": {{{_flow(below)}}}'


def scalar(value: Setting) -> str:
    """A value as YAML says it on one line: a text in quotes where any of YAML's versions could take it for something
    else, as 1.2 does with the number 1e3."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    plain = _WORD.fullmatch(value) and value.lower() not in _WORDS_OF_YAML
    return value if plain or _DIGEST.search(value) else f'"{value}"'
