"""All shapes that are needed, made once and kept: reading the provider's whole schema and the SDK's modules takes
seconds, and every process of the plugin needs them."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.standins.aws import catalog, shapes
from tests.standins.aws.shapes import Annotations, Shape
from tests.standins.aws.terraform import Binary, Terraform

_SOURCES: Final = ("book.py", "catalog.py", "shapes.py", "wire.py")


@dataclass(frozen=True)
class Entry:
    """One type or function: its shape, and which of the SDK's properties the provider at hand does not have."""

    shape: Shape
    missing: tuple[str, ...]

    def as_json(self) -> list[Any]:
        return [self.shape.as_json(), list(self.missing)]

    @classmethod
    def of_json(cls, given: list[Any]) -> Entry:
        return cls(Shape.of_json(given[0]), tuple(given[1]))


class Book:
    """Entries by token; those that are asked for are unfolded."""

    def __init__(self, pages: Mapping[str, Any]) -> None:
        self._pages = pages
        self._entries: dict[str, Entry] = {}

    def __getitem__(self, token: str) -> Entry:
        if token not in self._entries:
            self._entries[token] = Entry.of_json(self._pages[token])
        return self._entries[token]


PROVIDER: Final = "pulumi:providers:aws"


def load(binary: Binary, terraform: Terraform, environ: Mapping[str, str]) -> Book:
    """The book that was kept for this provider and this SDK, or a new one."""
    file = _folder(environ) / f"{_digest(binary)}.json"
    if file.is_file():
        return Book(json.loads(file.read_text(encoding="utf-8")))
    pages = {token: entry.as_json() for token, entry in _made(terraform).items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(json.dumps(pages, separators=(",", ":")), encoding="utf-8")
    part.replace(file)
    return Book(pages)


def _folder(environ: Mapping[str, str]) -> Path:
    cache = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "dagster-hybrid" / "aws-plugin"


def _digest(binary: Binary) -> str:
    seen = binary.path.stat()
    parts = [str(binary.path.resolve()), str(seen.st_size), str(seen.st_mtime_ns)]
    parts.append(importlib.metadata.version("pulumi-aws"))
    parts += [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _SOURCES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _made(terraform: Terraform) -> dict[str, Entry]:
    schemas = terraform.call("GetSchema")
    found = {PROVIDER: _entry(schemas.provider, _class("pulumi_aws.provider", "ProviderArgs"), {})}
    for token, listed in catalog.RESOURCES.items():
        module, name = _place(token)
        found[token] = _entry(schemas.resource_schemas[listed.terraform], _class(module, name), listed.renames)
    for token, listed in catalog.FUNCTIONS.items():
        module, name = _place(token)
        result = f"{name[:1].upper()}{name[1:]}Result"
        found[token] = _entry(schemas.data_source_schemas[listed.terraform], _class(module, result), listed.renames)
    return found


def _entry(schema: Any, kind: type, renames: Mapping[str, str]) -> Entry:
    annotations: Annotations = shapes.annotations_of(kind) or {}
    shape = shapes.paired(schema.block, annotations, renames)
    return Entry(shape, tuple(sorted(shapes.unpaired(shape, annotations))))


def _place(token: str) -> tuple[str, str]:
    """``aws:ec2/vpc:Vpc`` → ``pulumi_aws.ec2``, ``Vpc``."""
    _, where, name = token.split(":")
    module = where.partition("/")[0]
    return ("pulumi_aws" if module == "index" else f"pulumi_aws.{module}"), name


def _class(module: str, name: str) -> type:
    found: type = getattr(importlib.import_module(module), name)
    return found
