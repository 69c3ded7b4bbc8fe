"""Pins: images that code locations are held at, whatever their folders say. ``hybrid:pins`` of a stack file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from hybrid.delivery import stack_file
from hybrid.delivery.stack_file import CONFIG
from hybrid.errors import SettingsError, UsageError

PINS: Final = "hybrid:pins"

_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class StackFile(stack_file.StackFile):
    """The file of a stack as it was when this was made, and its pins."""

    @property
    def pins(self) -> Mapping[str, str]:
        """Image by location."""
        return pins_of(self.text, self.shown)

    def pin(self, name: str, image: str) -> bool:
        """Hold ``name`` at ``image``; whether the file had to be changed for it."""
        return self.write(pinned(self.text, name, image, self.shown))

    def unpin(self, name: str) -> bool:
        """Let go of ``name``; whether the file had to be changed for it."""
        return self.write(unpinned(self.text, name, self.shown))


def pins_of(text: str, file: str) -> dict[str, str]:
    """Image by location. Raises ``SettingsError`` for a file that is wrong."""
    config = stack_file.values_of(text, file).get(CONFIG)
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
    if pins_of(text, file).get(name) == image:
        return text
    return stack_file.with_value(text, (CONFIG, PINS, name), image, file)


def unpinned(text: str, name: str, file: str) -> str:
    """``text`` without a pin of ``name``. Raises ``SettingsError`` when that cannot be written in place."""
    if name not in pins_of(text, file):
        return text
    return stack_file.without_value(text, (CONFIG, PINS, name), file)
