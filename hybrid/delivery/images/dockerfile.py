"""The images that a Dockerfile starts from, and the same file with each of them pinned to a digest.

Read as far as that needs: directives, continued lines, heredocs, ARG before FROM, stages, ``COPY --from`` and
``RUN --mount=from=``. Source: docs.docker.com/reference/dockerfile and moby/buildkit frontend/dockerfile/parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hybrid.delivery.images.errors import DockerfileError
from hybrid.delivery.images.reference import Reference
from hybrid.errors import SettingsError

PLATFORM_ARGUMENTS: Final = frozenset(
    f"{side}{part}" for side in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT")
)
_DIRECTIVE: Final = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(\S.*?)\s*")
_HEREDOC: Final = re.compile(r"<<(-?)(['\"]?)([A-Za-z_][A-Za-z0-9_.]*)\2")
_HOLDS_HEREDOCS: Final = frozenset({"RUN", "COPY", "ADD"})
_VARIABLE: Final = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?:(?P<how>:?[-+])(?P<word>[^{}]*))?\})"
)
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(?:=(\"[^\"]*\"|'[^']*'|\S*))?")


@dataclass(frozen=True)
class External:
    """An image that is not made by this file: ``text`` is what the registry is asked for, ``start`` and ``end`` where
    it is written."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class _Instruction:
    word: str
    rest: str
    start: int
    end: int
    line: int


class Dockerfile:
    """A Dockerfile's text. ``arguments`` are the build arguments that it will get."""

    def __init__(self, text: str, arguments: Mapping[str, str], origin: str = "Dockerfile") -> None:
        """Raises ``DockerfileError`` when an image that it needs cannot be told before the build."""
        self.text = text
        self._origin = origin
        self._arguments = arguments
        self._stages: list[str] = []
        self._globals: dict[str, str] = {}
        self.externals = tuple(self._read())

    @property
    def references(self) -> tuple[str, ...]:
        """The images from elsewhere, each once, in order."""
        return tuple(dict.fromkeys(external.text for external in self.externals))

    def pinned(self, digest_of: Callable[[str], str | None]) -> str:
        """The text with ``reference@digest`` in the place of each image; None leaves one as it is written."""
        text = self.text
        for external in sorted(self.externals, key=lambda each: each.start, reverse=True):
            digest = digest_of(external.text)
            if digest is not None and "@" not in external.text:
                text = f"{text[: external.start]}{external.text}@{digest}{text[external.end :]}"
        return text

    def _read(self) -> Iterator[External]:
        syntax, escape = _directives(self.text)
        if syntax is not None:
            yield syntax
        for instruction in _instructions(self.text, escape):
            if instruction.word == "FROM":
                yield from self._of_from(instruction)
            elif instruction.word == "ARG" and not self._stages:
                self._take_arguments(instruction)
            elif instruction.word in {"COPY", "ADD"}:
                yield from self._of_flag(instruction, r"--from=(\"?)([^\s\"]+)\1")
            elif instruction.word == "RUN":
                yield from self._of_flag(instruction, r"--mount=(\"?)(?:[^\s\"]*,)?from=([^\s,\"]+)[^\s\"]*\1")
        if not self._stages:
            raise DockerfileError(f"{self._origin} has no FROM.", next_step="begin it with FROM and an image.")

    def _take_arguments(self, instruction: _Instruction) -> None:
        for name, value in _ASSIGNMENT.findall(instruction.rest):
            if name in self._arguments:
                self._globals[name] = self._arguments[name]
            else:
                # an ARG without a default is empty, and is no less declared
                self._globals[name] = self._expanded(value.strip("\"'"), instruction)

    def _of_from(self, instruction: _Instruction) -> Iterator[External]:
        words = [word for word in instruction.rest.split() if not word.startswith("--")]
        if len(words) not in {1, 3} or (len(words) == 3 and words[1].upper() != "AS"):
            raise self._wrong(instruction, "it is not of the form FROM image AS name")
        image = self._expanded(words[0].strip("\"'"), instruction, stages=True)
        stage = words[2].lower() if len(words) == 3 else str(len(self._stages))
        known = image is None or image.lower() in self._stages or image == "scratch"
        self._stages.append(stage)
        if image is not None and not known:
            yield self._external(image, words[0], instruction)

    def _of_flag(self, instruction: _Instruction, flag: str) -> Iterator[External]:
        for found in re.finditer(flag, _flags(instruction.rest)):
            written = found[2]
            image = self._expanded(written, instruction, stages=True)
            by_number = written.isdecimal() and int(written) < len(self._stages)
            if image is not None and not by_number and image.lower() not in {*self._stages, "scratch"}:
                yield self._external(image, written, instruction, found[0])

    def _external(self, image: str, written: str, instruction: _Instruction, within: str = "") -> External:
        if not image:
            raise self._wrong(instruction, f"{written} is empty: give it a default, or a build argument")
        try:
            Reference.parse(image)
        except SettingsError as error:
            raise self._wrong(instruction, f"{error.what.removesuffix('.')}: {error.why}".removesuffix(".")) from None
        place = instruction.start + len(instruction.word)
        if within:
            place = self.text.find(within, place, instruction.end)
        start = self.text.find(written, place, instruction.end) if place >= 0 else -1
        if start < 0:
            raise self._wrong(instruction, "the image is written over several lines: write it on one")
        return External(image, start, start + len(written))

    def _expanded(self, text: str, instruction: _Instruction, *, stages: bool = False) -> str:
        """``text`` with the values of arguments.

        One that names a stage by the platform, as in ``FROM build-$TARGETARCH``, is given as that stage's name.
        """
        used = {found["plain"] or found["braced"] for found in _VARIABLE.finditer(text)}
        if used & PLATFORM_ARGUMENTS - self._globals.keys():
            pattern = "".join(
                r"[\w.-]*" if part.startswith("$") else re.escape(part.lower())
                for part in re.split(r"(\$\{[^}]*\}|\$\w+)", text)
            )
            named = [stage for stage in self._stages if re.fullmatch(pattern, stage)]
            if stages and named:
                return named[0]
            raise self._wrong(instruction, f"{text} depends on the platform, so that it cannot be pinned to a digest")
        return _VARIABLE.sub(self._value, text)

    def _value(self, found: re.Match[str]) -> str:
        value = self._globals.get(found["plain"] or found["braced"])
        how, word = found["how"] or "", found["word"] or ""
        is_set = bool(value) if how.startswith(":") else value is not None
        if how.endswith("+"):
            return word if is_set else ""
        return (value or "") if is_set or not how else word

    def _wrong(self, instruction: _Instruction, why: str) -> DockerfileError:
        return DockerfileError(
            f"{self._origin}, line {instruction.line}: `{instruction.word}` cannot be read.",
            why=f"{why[0].upper()}{why[1:]}.",
            next_step="correct the line: each image is looked up before the build, so that a rebuild is never missed.",
        )


def _directives(text: str) -> tuple[External | None, str]:
    """The frontend of ``# syntax=``, and the character that continues a line."""
    syntax, escape, at = None, "\\", 0
    seen: set[str] = set()
    for line in text.splitlines(keepends=True):
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None or found[1].lower() in seen:
            break
        name = found[1].lower()
        seen.add(name)
        if name == "escape":
            escape = found[2]
        elif name == "syntax":
            written = found[2].split()[0]
            start = text.index(written, at + line.index("=") + 1)
            syntax = External(written, start, start + len(written))
        at += len(line)
    return syntax, escape


def _instructions(text: str, escape: str) -> Iterator[_Instruction]:
    lines = text.splitlines(keepends=True)
    continued = re.compile(rf"{re.escape(escape)}[ \t]*\r?\n?$")
    offset, number = 0, 0
    while number < len(lines):
        start, first, body = offset, number, ""
        while number < len(lines):
            line = lines[number]
            offset, number = offset + len(line), number + 1
            stripped = line.strip()
            if stripped.startswith("#") or (not stripped and body):
                continue  # also within a continued instruction
            body += continued.sub("", line) if continued.search(line) else line
            if not continued.search(line):
                break
        word, _, rest = body.strip().partition(" ")
        if "\t" in word:
            word, _, rest = body.strip().partition("\t")
        end = offset
        for marker in _HEREDOC.finditer(rest) if word.upper() in _HOLDS_HEREDOCS else ():
            while number < len(lines):
                line = lines[number].rstrip("\r\n")
                offset, number = offset + len(lines[number]), number + 1
                if (line.lstrip("\t") if marker[1] else line) == marker[3]:
                    break
        if word:
            yield _Instruction(word.upper(), rest.strip(), _after_comments(text, start, end), end, first + 1)


def _after_comments(text: str, start: int, end: int) -> int:
    for line in text[start:end].splitlines(keepends=True):
        if line.strip() and not line.strip().startswith("#"):
            return start + len(line) - len(line.lstrip())
        start += len(line)
    return start


def _flags(rest: str) -> str:
    """The ``--…`` words at the start of an instruction."""
    found = re.match(r"(?:--\S+\s+)*", f"{rest} ")
    return found[0] if found else ""
