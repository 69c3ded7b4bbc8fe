"""Pins: images that code locations are held at, whatever their folders say. ``hybrid:pins`` of a stack file.

A stack file is a person's: it is changed where the pin stands and nowhere else. The new text is read again, and unless
it says what the old one said with just that pin changed, nothing is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from hybrid.delivery.sources import Source, YamlMapping
from hybrid.delivery.yaml_extent import extent
from hybrid.errors import SettingsError, UsageError

CONFIG: Final = "config"
PINS: Final = "hybrid:pins"

_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}$")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS_OF_YAML: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


class StackFile:
    """The file of a stack as it was when this was made."""

    def __init__(self, path: Path) -> None:
        """Raises ``SettingsError`` when it is not there, is no YAML of plain values, or says what cannot be."""
        self._path = path.resolve()  # a link stays a link: what it leads to is changed
        self._shown = f"{path.parent.name}/{path.name}"
        if not path.exists():
            raise SettingsError(
                f"{self._shown} does not exist.",
                next_step="`hybrid up local` makes the local one; for others write that file (docs/settings.md).",
            )
        source = Source.read(self._path, folder=self._path.parent)  # bounded, UTF-8
        self._bytes = self._path.read_bytes()
        if source is None or self._bytes.decode("utf-8-sig") != source.text:
            raise self._changed()
        self._text = self._bytes.decode("utf-8")

    @property
    def pins(self) -> Mapping[str, str]:
        """Image by location."""
        return pins_of(self._text, self._shown)

    def pin(self, name: str, image: str) -> bool:
        """Hold ``name`` at ``image``; whether the file had to be changed for it."""
        return self._write(pinned(self._text, name, image, self._shown))

    def unpin(self, name: str) -> bool:
        """Let go of ``name``; whether the file had to be changed for it."""
        return self._write(unpinned(self._text, name, self._shown))

    def _write(self, text: str) -> bool:
        if text == self._text:
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
                f"{self._shown} cannot be written.",
                why=error.strerror,
                next_step="free disk space or mend the folder's permissions, then run the command again.",
            ) from None
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
        self._text, self._bytes = text, text.encode()
        return True

    def _changed(self) -> SettingsError:
        return SettingsError(
            f"{self._shown} changed while it was worked on.",
            why="Somebody else wrote it, and what they wrote would be lost.",
            next_step="run the same command again: it starts from what is there now.",
        )


def pins_of(text: str, file: str) -> dict[str, str]:
    """Image by location. Raises ``SettingsError`` for a file that is wrong."""
    config = _values(text, file).get(CONFIG)
    pins = config.get(PINS) if isinstance(config, dict) else None
    wrong = not isinstance(config, dict | None) or not isinstance(pins, dict | None)
    if wrong or any(not isinstance(image, str) for image in (pins or {}).values()):
        raise SettingsError(
            f"{CONFIG} or {PINS} in {file} is not a mapping.",
            next_step=f"write `{PINS}:` below `{CONFIG}:`, and below that lines such as `hello: IMAGE`.",
        )
    return dict(pins or {})


def pinned(text: str, name: str, image: str, file: str) -> str:
    """``text`` with ``name`` held at ``image``. Raises ``SettingsError`` when that cannot be written in place."""
    if not _NAME.fullmatch(name) or not _IMAGE.fullmatch(image):
        raise UsageError(
            f"'{name}: {image}' cannot be a pin.", next_step="give a location's name and an image's reference."
        )
    pins = pins_of(text, file)
    if pins.get(name) == image:
        return text
    return _verified(text, {**pins, name: image}, _with_pin(text, name, image), file)


def unpinned(text: str, name: str, file: str) -> str:
    """``text`` without a pin of ``name``. Raises ``SettingsError`` when that cannot be written in place."""
    pins = pins_of(text, file)
    if name not in pins:
        return text
    kept = {key: image for key, image in pins.items() if key != name}
    return _verified(text, kept, _without_pin(text, name), file)


def _verified(text: str, pins: Mapping[str, str], candidates: Iterator[str], file: str) -> str:
    """The first candidate that says what ``text`` says, but these pins."""
    wanted = _values(text, file)
    config = {key: value for key, value in (wanted.get(CONFIG) or {}).items() if key != PINS}
    wanted[CONFIG] = {**config, PINS: dict(pins)} if pins else config
    for candidate in candidates:
        try:
            found = _values(candidate, file)
        except SettingsError:
            continue
        found[CONFIG] = found.get(CONFIG) or {}
        if found == wanted:
            return candidate
    raise SettingsError(
        f"{file} cannot be changed without touching the rest of it.",
        why="Its form is too special to set a pin in place: an anchor, an alias or a merge key, for example.",
        next_step=f"write `{PINS}:` below `{CONFIG}:` by hand, with a line `LOCATION: IMAGE` for each pin.",
    )


def _values(text: str, file: str) -> dict[str, Any]:
    """What the file says: plain values only, no key twice, aliases bounded."""
    return YamlMapping(Source(file, text)).values


def _with_pin(text: str, name: str, image: str) -> Iterator[str]:
    root = _root(text)
    line = f"{_scalar(name)}: {_scalar(image)}"
    config = _entry(root, CONFIG)
    if config is None:
        yield from _added(text, root, [f"{CONFIG}:", f"  {PINS}:", f"    {line}"])
        return
    pins = _entry(config[1], PINS)
    if pins is None:
        yield from _added_below(text, config, [f"{PINS}:", f"  {line}"])
        return
    present = _entry(pins[1], name)
    if present is None:
        yield from _added_below(text, pins, [line])
        return
    value = present[1]
    quote = value.style if isinstance(value, yaml.ScalarNode) and value.style in ("'", '"') else ""
    yield f"{text[: value.start_mark.index]}{quote}{image}{quote}{text[value.end_mark.index :]}"


def _without_pin(text: str, name: str) -> Iterator[str]:
    root = _root(text)
    config = _entry(root, CONFIG)
    pins = _entry(config[1], PINS) if config else None
    present = _entry(pins[1], name) if pins else None
    if config is None or pins is None or present is None:
        return
    if len(pins[1].value) == 1:
        yield from _removed(text, config[1], pins)
    yield from _removed(text, pins[1], present)


Entry = tuple[yaml.Node, yaml.Node]


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


def _scalar(text: str) -> str:
    """A text as YAML says it on one line: in quotes where any of YAML's versions could take it for something else, as
    1.2 does with the number 1e3."""
    plain = _WORD.fullmatch(text) and text.lower() not in _WORDS_OF_YAML
    return text if plain or _DIGEST.search(text) else f'"{text}"'
