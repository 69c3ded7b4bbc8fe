"""An image's reference, taken apart. Source of the grammar: github.com/distribution/reference, reference.go."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from hybrid.errors import SettingsError

HUB: Final = "docker.io"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?")
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST: Final = 255  # characters of registry and path together


@dataclass(frozen=True)
class Reference:
    """``registry/path:tag@digest``, complete: Docker Hub's short names are spelled out."""

    registry: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises ``SettingsError`` for what Docker would refuse."""
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise _wrong(text, "what follows '@' is not sha256: and 64 hexadecimal digits")
        name, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            name, tag = rest, ""
        elif not _TAG.fullmatch(tag):
            raise _wrong(text, f"'{tag}' is no tag: letters, digits, '_', '.' and '-', at most 128")
        first, slash, path = name.partition("/")
        if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
            first, path = HUB, name
        if first in {HUB, "index.docker.io"}:
            first, path = HUB, path if "/" in path else f"library/{path}"
        if not _REGISTRY.fullmatch(first):
            raise _wrong(text, f"'{first}' is no address of a registry")
        if not _PATH.fullmatch(path):
            raise _wrong(text, f"'{path}' may have small letters, digits and single '.', '_' and '-' between them only")
        if len(first) + len(path) >= _LONGEST:
            raise _wrong(text, f"it has more than {_LONGEST} characters")
        return cls(first, path, tag or None, digest or None)

    @property
    def repository(self) -> str:
        return f"{self.registry}/{self.path}"

    @property
    def version(self) -> str:
        """What a registry is asked for: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    @property
    def is_loopback(self) -> bool:
        """Whether the registry is on this machine: Docker speaks to it without TLS."""
        host = self.registry.partition("]")[0][1:] if self.registry[0] == "[" else self.registry.partition(":")[0]
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def _wrong(text: str, why: str) -> SettingsError:
    return SettingsError(
        f"'{text}' is no image reference.",
        why=f"{why[0].upper()}{why[1:]}.",
        next_step="write it as in ghcr.io/acme/name:tag or ghcr.io/acme/name@sha256:…",
    )
