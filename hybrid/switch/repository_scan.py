"""A repository looked through: its locations, its workflows, its Python. Nothing of it is imported or run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hybrid.errors import SettingsError
from hybrid.switch.location_scan import LocationScan
from hybrid.switch.python_scan import AssetFound, PythonFacts, scan_python
from hybrid.switch.repository import (
    FolderAssets,
    FolderLocation,
    FoundBaseImage,
    RepositoryState,
    ServerlessWorkflow,
    Spot,
    Unread,
)
from hybrid.switch.repository_files import RepositoryFiles, is_below
from hybrid.switch.serverless_words import VARIABLE
from hybrid.switch.workflow_scan import forge_of, scan_workflow


def scan_repository(root: Path) -> RepositoryState:
    """Raises ``UsageError`` for what is no folder of code. A file that is wrong is told among the ``unread``."""
    return _Scan(RepositoryFiles.of(root)).run()


@dataclass
class _Scan:
    files: RepositoryFiles
    workflows: list[ServerlessWorkflow] = field(default_factory=list)
    base_images: list[FoundBaseImage] = field(default_factory=list)
    variables: list[Spot] = field(default_factory=list)
    libraries: list[Spot] = field(default_factory=list)
    isolation: list[Spot] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    python: dict[str, PythonFacts] = field(default_factory=dict)

    def run(self) -> RepositoryState:
        locations = LocationScan(self.files).run()
        for path in self.files.paths:
            try:
                self._look(path)
            except SettingsError as error:
                self.unread.append(Unread(path, error.what if not error.why else f"{error.what} {error.why}"))
        return RepositoryState(
            commit=self.files.commit,
            files=len(self.files.paths),
            locations=locations.locations,
            workflows=self.workflows,
            base_images=self.base_images,
            variables=self.variables,
            libraries=self.libraries,
            isolation=self.isolation,
            assets=[_assets(folder, self._within(folder, locations.locations)) for folder in _folders(locations)],
            unread=[*locations.unread, *self.unread],
            legacy_files=locations.legacy_files,
        )

    def _look(self, path: str) -> None:
        if path.endswith(".py"):
            self._look_at_python(path)
        elif provider := forge_of(path):
            text = self.files.text(path)
            found = scan_workflow(text, provider) if text is not None else None
            if found:
                self.workflows.append(ServerlessWorkflow(path, provider, list(found.lines), sorted(found.builds)))
                self.base_images += [
                    FoundBaseImage(path, image.line, image.value, image.is_tag) for image in found.base_images
                ]
            if text is not None and path.endswith(".sh"):
                self._look_at_words(path, text)

    def _look_at_python(self, path: str) -> None:
        content = self.files.content(path)
        if content is None:
            return
        try:
            facts = scan_python(content)
        except ValueError as error:
            self.unread.append(Unread(path, str(error)))
            return
        self.python[path] = facts
        self.variables += [Spot(path, line, name) for name, line in facts.variables]
        self.libraries += [Spot(path, line) for line in facts.libraries]
        self.isolation += [Spot(path, line) for line in facts.isolation]

    def _look_at_words(self, path: str, text: str) -> None:
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.lstrip().startswith("#"):
                self.variables += [Spot(path, number, name) for name in dict.fromkeys(VARIABLE.findall(line))]

    def _within(self, folder: str, locations: list[FolderLocation]) -> list[tuple[str, PythonFacts]]:
        """The files of this folder that are not in another location's folder below it."""
        deeper = [each.folder for each in locations if each.folder != folder and is_below(f"{each.folder}/", folder)]
        return [
            (path, facts)
            for path, facts in self.python.items()
            if is_below(path, folder) and not any(is_below(path, each) for each in deeper)
        ]


def _folders(scan: LocationScan) -> list[str]:
    return sorted({location.folder for location in scan.locations})


def _assets(folder: str, files: list[tuple[str, PythonFacts]]) -> FolderAssets:
    found = [(path, asset) for path, facts in files for asset in facts.assets if asset.stores]
    by_default = [(path, asset) for path, asset in found if asset.stored_by == "default"]
    first = Spot(by_default[0][0], by_default[0][1].line, by_default[0][1].name) if by_default else None
    return FolderAssets(
        folder=folder,
        by_default=len(by_default),
        by_own=_count(found, "own"),
        unknown=_count(found, "unknown"),
        definitions=_of_definitions(facts for _, facts in files),
        first=first,
    )


def _count(found: list[tuple[str, AssetFound]], stored_by: str) -> int:
    return sum(asset.stored_by == stored_by for _, asset in found)


def _of_definitions(files: Iterable[PythonFacts]) -> Literal["own", "default", "unknown", "none"]:
    said = {each.io_manager for facts in files for each in facts.definitions}
    return "own" if "own" in said else "unknown" if "unknown" in said else "default" if said else "none"
