"""The PEX files of the organization's Serverless locations, as files of this machine.

Rests on ``client``: names are ``deps-<hash>.pex``, ``source-<hash>.pex`` and ``requirements-<hash>[-<tag>].txt``
(dagster_cloud_cli/core/pex_builder), and an agent fetches those that its folder lacks
(dagster_cloud/pex/grpc/server/registry.py).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hybrid.emulator.errors import EmulatorError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,199}")
_FOLDER: Final = "pex"


class PexNameError(EmulatorError):
    """What should be a PEX file's name is none."""


class PexMissingError(EmulatorError):
    """A location asks for a PEX file that was never uploaded."""


class PexFiles:
    """Those below ``data``, the emulator's data folder."""

    def __init__(self, data: Path) -> None:
        self.folder = data / _FOLDER

    def path(self, name: str) -> Path:
        """Where the file of that name is, or would be. Raises ``PexNameError``: no name leads out of the folder."""
        check_name(name)
        return self.folder / name

    def lay_out(self, names: Iterable[str], shelf: Path) -> None:
        """See to it that ``shelf`` has the files, as links where the file system has such.

        The agent deletes from its shelf what it no longer uses; what was uploaded stays. Raises ``PexNameError`` and
        ``PexMissingError``.
        """
        shelf.mkdir(parents=True, exist_ok=True)
        for name in names:
            stored, there = self.path(name), shelf / name
            if there.exists():
                continue
            try:
                os.link(stored, there)
            except FileExistsError:
                continue
            except FileNotFoundError:
                raise PexMissingError(
                    f"The PEX file {name} was never uploaded here.",
                    next_step="deploy the location anew with `dagster-cloud serverless deploy-python-executable`.",
                ) from None
            except OSError:  # another file system, or one without links
                draft = there.with_name(f".{name}.draft")
                shutil.copyfile(stored, draft)
                draft.replace(there)


def check_name(name: str) -> None:
    """Raises ``PexNameError`` for a name that no PEX file can have here."""
    if not _NAME.fullmatch(name):
        raise PexNameError(
            f"'{name[:80]}' cannot be the name of a PEX file.",
            why="It takes up to 200 letters, digits and . _ = + -, a letter or digit first.",
        )


def names_in_tag(tag: str) -> list[str]:
    """The files that a location's ``pex_tag`` names (``files=deps-….pex:source-….pex``)."""
    return tag.partition("=")[2].split(":")
