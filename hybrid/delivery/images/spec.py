"""What to build an image from, and for whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hybrid.delivery.images.errors import SecretInArgument
from hybrid.delivery.images.reference import Reference
from hybrid.errors import SettingsError
from hybrid.redaction import redact

HASH_LABEL: Final = "io.dagster-hybrid.content-hash"
"""Says of an image what it was built from; see ``content``."""

_PLATFORM: Final = re.compile(r"linux/[a-z0-9]+(?:/v[0-9]+)?")
_ARGUMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_SECRET_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_SECRET_NAME: Final = re.compile(
    r"PASSW(?:OR)?D|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|(?:API|ACCESS|PRIVATE|AUTH|SIGNING|ENCRYPTION|ACCOUNT)_?KEY"
    r"|(?:^|_)KEY$|(?:^|_)AUTH$",
    re.IGNORECASE,
)
_SECRET_VALUE: Final = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"(?:gh[oprsu]_|github_pat_|glpat-|xox[abp]-|pypi-)[A-Za-z0-9_-]{16,}"),
    re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\."),
)


@dataclass(frozen=True)
class ImageSpec:
    """One image. ``platforms`` empty: the engine's own. ``labels`` do not count as content: the commit of a build is
    none of its results."""

    repository: str
    context: Path
    dockerfile: Path | None = None
    """None: the scaffold is used, without being written."""
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)
    platforms: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    """BuildKit's id to ``env:NAME`` or ``file:/absolute/path``; never a value."""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ``SettingsError`` for what cannot be, ``SecretInArgument`` for a secret where it would stay."""
        reference = Reference.parse(self.repository)
        if reference.tag or reference.digest:
            raise SettingsError(
                f"'{self.repository}' names a tag or digest, and a repository is needed.",
                next_step="leave out what follows the name: the tag comes from the content.",
            )
        for platform in self.platforms:
            if not _PLATFORM.fullmatch(platform):
                raise SettingsError(
                    f"'{platform}' is no platform.", next_step="write it as linux/amd64 or linux/arm64."
                )
        if len(set(self.platforms)) != len(self.platforms):
            raise SettingsError("A platform is named twice.", next_step="name each once.")
        for name, value in self.arguments.items():
            _check_argument(name, value)
        for id, source in self.secrets.items():
            _check_secret(id, source)


def _check_argument(name: str, value: str) -> None:
    if not _ARGUMENT.fullmatch(name):
        raise SettingsError(
            f"'{redact(name)}' is no name of a build argument.", next_step="use letters, digits and '_'."
        )
    by_name = _SECRET_NAME.search(name) is not None
    if by_name or redact(value) != value or any(shape.search(value) for shape in _SECRET_VALUE):
        raise SecretInArgument(
            f"The build argument {name} holds a secret.",
            why=f"Its {'name' if by_name else 'value'} says so. Build arguments stay readable in the image's history.",
            next_step=f"give it as a build secret: `secrets: {{{name.lower()}: env:{name}}}`, and in the Dockerfile "
            f"`RUN --mount=type=secret,id={name.lower()}`.",
        )


def _check_secret(id: str, source: str) -> None:
    kind, _, where = source.partition(":")
    good = (kind == "env" and _ARGUMENT.fullmatch(where)) or (
        # a comma would begin another option of docker's --secret
        kind == "file" and Path(where).is_absolute() and not set(where) & set(',"\n\0')
    )
    if not _SECRET_ID.fullmatch(id) or not good:
        raise SettingsError(
            f"The build secret '{redact(id)}' names no source.",
            why="A source is a name, never the value itself.",
            next_step="write `env:NAME` for a variable of the environment, or `file:/absolute/path`.",
        )
