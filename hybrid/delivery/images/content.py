"""What an image is made of, and the tag that this gives.

The hash covers the context as Docker sends it, the Dockerfile, the build arguments, the platforms and the digests of
the images that it starts from. It does not cover labels and build secrets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hybrid.delivery.images.context import folded, read_context
from hybrid.delivery.images.dockerfile import Dockerfile
from hybrid.delivery.images.errors import ContextError, DockerfileError
from hybrid.delivery.images.ignore import IgnoreRules
from hybrid.delivery.images.scaffold import scaffold
from hybrid.delivery.images.spec import ImageSpec

LOCAL: Final = "local "
"""Before the id of an image that only the engine has: it has no digest that a Dockerfile could name."""

_LARGEST_TEXT: Final = 1024 * 1024
_VERSION: Final = 1  # another number when what is hashed, or how it is built, changes its meaning
_TAG_DIGITS: Final = 32


@dataclass(frozen=True)
class ImageContent:
    """``files``: path to mode and start of the hash, by folder above 2,000 entries. ``bases``: each image that the
    Dockerfile starts from to its digest."""

    files: Mapping[str, str]
    bases: Mapping[str, str]
    hash: str
    dockerfile: str = field(repr=False)
    """The text that is built: the team's, or the scaffold, with each base pinned."""
    ignore_text: str = field(repr=False)

    @property
    def tag(self) -> str:
        return self.hash[:_TAG_DIGITS]


def content_of(spec: ImageSpec, bases: Callable[[str], str]) -> ImageContent:
    """Read and hash what ``spec`` names; ``bases`` gives the digest of a reference.

    Raises ``ContextError`` and ``DockerfileError``, and what ``bases`` raises.
    """
    if not spec.context.is_dir():
        raise ContextError(f"{spec.context} is no folder.", next_step="correct the path of the build context.")
    dockerfile = Dockerfile(dockerfile_text(spec), spec.arguments, str(spec.dockerfile or "the scaffolded Dockerfile"))
    digests = {reference: bases(reference) for reference in dockerfile.references}
    context = read_context(spec.context, ignore_rules(spec))
    parts = {
        "version": _VERSION,
        "context": context.hash,
        "dockerfile": dockerfile.text,
        "arguments": dict(spec.arguments),
        "platforms": sorted(spec.platforms),
        "bases": digests,
    }
    return ImageContent(
        files=folded(context.entries),
        bases=digests,
        hash=hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
        dockerfile=dockerfile.pinned(lambda reference: _pin(digests[reference])),
        ignore_text=context.ignore_text,
    )


def dockerfile_text(spec: ImageSpec) -> str:
    """The Dockerfile's text, or the scaffold's."""
    if spec.dockerfile is None:
        return scaffold(spec.context)
    text = _text(spec.dockerfile)
    if text is None:
        raise DockerfileError(
            f"{spec.dockerfile} is not there.", next_step="write it, or leave its name out to have one made."
        )
    return text


def ignore_rules(spec: ImageSpec) -> IgnoreRules:
    """The rules of ``<Dockerfile>.dockerignore`` beside the Dockerfile, or else of the context's ``.dockerignore``, or
    else what nobody means to send. Files that say how the image is built and run are never part of it: `up` itself
    writes one of them."""
    files = [spec.context / ".dockerignore"]
    if spec.dockerfile is not None:
        files.insert(0, spec.dockerfile.with_name(f"{spec.dockerfile.name}.dockerignore"))
    for file in files:
        text = _text(file)
        if text is not None:
            return IgnoreRules(f"{text}\n{_OF_DELIVERY}", str(file))
    return IgnoreRules(_NEVER_MEANT + _OF_DELIVERY)


_OF_DELIVERY: Final = "/build.yaml\n/build.*.yaml\n/container_context.yaml\n/container_context.*.yaml\n"
_NEVER_MEANT: Final = "".join(
    f"**/{name}\n"
    for name in (
        *("__pycache__", "*.pyc", "*.egg-info", ".git", ".venv", ".DS_Store"),
        *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox"),
    )
)


def _pin(digest: str) -> str | None:
    return None if digest.startswith(LOCAL) else digest


def _text(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            read = opened.read(_LARGEST_TEXT + 1)
        if len(read) > _LARGEST_TEXT:
            raise DockerfileError(f"{file} has more than 1 MB.", next_step="look at what it is.")
        return read.decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise DockerfileError(f"{file} is no text in UTF-8.", next_step="look at what it is.") from None
    except OSError as error:
        raise DockerfileError(f"{file} cannot be read.", why=error.strerror, next_step="look at what it is.") from None
