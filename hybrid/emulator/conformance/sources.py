"""The source files of the installed packages that speak to Dagster+."""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

# dagster-graphql and dagster-webserver are not here: they are servers, and the emulator runs them itself.
PACKAGES: Final = (
    "dagster_cloud",
    "dagster_cloud_cli",
    "dagster_dg_cli",
    "dagster_dg_core",
    "dagster_rest_resources",
    "dagster_shared",
)


class SourceMissingError(LookupError):
    """A package that is to be looked at is not installed."""


@dataclass(frozen=True)
class Source:
    """A Python module: its dotted name and its text."""

    package: str
    module: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def folder_of(package: str) -> Path:
    """Where ``package`` lies. Raises ``SourceMissingError``."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SourceMissingError(f"{package} is not installed; `make setup` installs what is looked at.")
    return Path(spec.origin).parent


def modules(package: str) -> Iterator[Source]:
    """Every module of ``package``, by name."""
    folder = folder_of(package)
    for path in sorted(folder.rglob("*.py")):
        parts = (package, *path.relative_to(folder).with_suffix("").parts)
        name = ".".join(parts).removesuffix(".__init__")
        yield Source(package, name, path.read_text(encoding="utf-8"))


def graphql_files(package: str) -> Iterator[tuple[str, str]]:
    """Name and text of every ``.graphql`` file of ``package``."""
    folder = folder_of(package)
    for path in sorted(folder.rglob("*.graphql")):
        yield str(path.relative_to(folder)), path.read_text(encoding="utf-8")


def releases() -> dict[str, str]:
    """The release of each package."""
    return {package: version(package.replace("_", "-")) for package in PACKAGES}
