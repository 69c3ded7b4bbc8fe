"""What Dagster+ was told of locations right before an update that would tell it the same: agents load anew whatever is
sent, so that it is not to be sent twice. Digests alone are on disk: documents may hold what is secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.delivery.document_form import digest_of

VARIABLE: Final = "HYBRID_TOLD_LOCATIONS"
"""In the environment of an update: the file in which it stands. There only during that update."""


@dataclass(frozen=True)
class Told:
    """``sent`` names the document as it was sent, ``kept`` as Dagster+ had it then, ``content`` the code behind it
    (``hybrid.delivery.document.content_hash``); None: the document names its code itself."""

    sent: str
    kept: str
    content: str | None

    @classmethod
    def of(cls, sent: Mapping[str, Any], kept: Mapping[str, Any], content: str | None) -> Told:
        return cls(digest_of(sent), digest_of(kept), content)


def write_told(file: Path, told: Mapping[str, Told]) -> None:
    """By location. A kill leaves nothing or all."""
    draft = file.with_name(f".{file.name}.part")
    draft.write_text(json.dumps({name: asdict(each) for name, each in told.items()}), encoding="utf-8")
    draft.replace(file)


def read_told(environ: Mapping[str, str]) -> dict[str, Told]:
    """By location; empty where nothing was told, or it cannot be read: then it is told again, which only takes time."""
    try:
        found = json.loads(Path(environ.get(VARIABLE) or "/nowhere").read_text(encoding="utf-8"))
        return {name: Told(**each) for name, each in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
