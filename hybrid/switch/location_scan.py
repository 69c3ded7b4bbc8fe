"""The code locations of a repository, wherever they lie in it, by the readers that a stack's own locations have."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from packaging.requirements import Requirement

from hybrid.delivery.legacy import LegacyFile, LegacyLocation
from hybrid.delivery.project import Project
from hybrid.delivery.requirement_files import is_requirement, listed_in_setup, listed_in_text
from hybrid.delivery.sources import MAX_BYTES, Source, Toml, YamlMapping
from hybrid.errors import SettingsError
from hybrid.switch.repository import FolderLocation, Unread
from hybrid.switch.repository_files import RepositoryFiles, folder_of
from hybrid.switch.serverless_words import POST_HOOK, PRE_HOOK

_CLOUD: Final = "dagster-cloud"
_LEGACY: Final = re.compile(r"dagster_cloud(?:[._-][\w.-]+)?\.ya?ml")
"""The file, and what `DAGSTER_CLOUD_FILE` is set to where there are several."""
_PROJECTS: Final = ("pyproject.toml", "dg.toml")
_REQUIREMENTS: Final = ("requirements.lock", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")


@dataclass
class LocationScan:
    """``locations`` by name, then by file; ``unread`` are files that are wrong, each with its reader's own words."""

    files: RepositoryFiles
    locations: list[FolderLocation] = field(default_factory=list)
    legacy_files: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def run(self) -> LocationScan:
        self.legacy_files = [path for path in self.files.paths if _LEGACY.fullmatch(PurePosixPath(path).name)]
        for path in self.legacy_files:
            self._guarded(path, partial(self._legacy, path))
        taken = {each.folder for each in self.locations} | {folder_of(path) for path in self.legacy_files}
        described = {folder_of(path) for path in self.files.paths if PurePosixPath(path).name in _PROJECTS}
        for folder in sorted(described - taken):
            self._guarded(_in(folder, _PROJECTS[0]), partial(self._project, folder))
        self.locations.sort(key=lambda each: (each.name, each.file))
        return self

    def _guarded(self, path: str, read: Callable[[], None]) -> None:
        try:
            read()
        except SettingsError as error:
            self.unread.append(Unread(path, error.what if not error.why else f"{error.what} {error.why}"))

    def _source(self, path: str) -> Source | None:
        if not self.files.has(path):
            return None
        content = self.files.content(path, limit=MAX_BYTES)
        if content is None:
            return None
        try:
            return Source(path, content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise SettingsError(f"{path}: not UTF-8 text.", next_step="save it as UTF-8.") from None

    def _legacy(self, path: str) -> None:
        source = self._source(path)
        if source is None:
            return
        for item in LegacyFile.parse(source).locations:
            folder = posixpath.normpath(posixpath.join(folder_of(path), item.directory or "."))
            if folder == ".." or folder.startswith(("../", "/")):
                raise source.wrong(item.line, f"`directory` of '{item.name}' leads out of the repository.")
            self.locations.append(self._located(path, item, folder))

    def _located(self, path: str, item: LegacyLocation, folder: str) -> FolderLocation:
        needs = self._needs(folder)
        return FolderLocation(
            name=item.name,
            folder=folder,
            file=path,
            line=item.line,
            source_kind=item.code_source.kind,
            source_name=item.code_source.name,
            is_legacy=True,
            registry=item.registry,
            image=item.image,
            executable_path=item.executable_path,
            agent_queue=item.agent_queue,
            dockerfile=self._there(folder, "Dockerfile"),
            pre_hook=self._there(folder, PRE_HOOK),
            post_hook=self._there(folder, POST_HOOK),
            requirements=needs.files,
            requires_python=needs.python,
            names_dagster_cloud=needs.names_dagster_cloud,
            names_serverless_extra=needs.names_extra,
        )

    def _project(self, folder: str) -> None:
        pyproject, dg_toml = (self._source(_in(folder, name)) for name in _PROJECTS)
        project = Project.parse(pyproject, dg_toml)
        if project is None:
            return
        file = pyproject if pyproject and project.table.startswith("tool.") else dg_toml or pyproject
        needs = self._needs(folder)
        self.locations.append(
            FolderLocation(
                name=project.name or PurePosixPath(folder).name or self.files.root.name,
                folder=folder,
                file=file.shown if file else folder,
                line=Toml(file).line(project.table) if file else 1,
                source_kind=project.code_source.kind,
                source_name=project.code_source.name,
                is_legacy=False,
                registry=self._registry(folder),
                image=project.image,
                agent_queue=project.agent_queue,
                dockerfile=self._there(folder, "Dockerfile"),
                pre_hook=self._there(folder, PRE_HOOK),
                post_hook=self._there(folder, POST_HOOK),
                requirements=needs.files,
                requires_python=project.requires_python,
                names_dagster_cloud=needs.names_dagster_cloud,
                names_serverless_extra=needs.names_extra,
            )
        )

    def _registry(self, folder: str) -> str | None:
        source = self._source(_in(folder, "build.yaml"))
        value = YamlMapping(source).values.get("registry") if source else None
        return value if isinstance(value, str) else None

    def _there(self, folder: str, name: str) -> str | None:
        path = _in(folder, name)
        return path if self.files.has(path) else None

    def _needs(self, folder: str) -> _Needs:
        files = [path for name in _REQUIREMENTS if (path := self._there(folder, name))]
        named: list[str] = []
        complete = True
        python: str | None = None
        for path in files:
            content = self.files.content(path)
            text = (content or b"").decode("utf-8-sig", errors="replace")
            found, whole = _listed(PurePosixPath(path).name, text)
            named += found
            complete = complete and whole
            if path.endswith("pyproject.toml"):
                python = _requires_python(path, text)
        has = any(_is_cloud(each) for each in named)
        return _Needs(
            files=files,
            python=python,
            names_dagster_cloud=True if has else False if files and complete else None,
            names_extra=any(_is_cloud(each) and "serverless" in Requirement(each).extras for each in named),
        )


@dataclass(frozen=True)
class _Needs:
    files: list[str]
    python: str | None
    names_dagster_cloud: bool | None
    names_extra: bool


def _listed(name: str, text: str) -> tuple[list[str], bool]:
    """The requirements in a file, and whether these are all: a file may name others, or be a program."""
    if name == "setup.py":
        return listed_in_setup(text)
    if name == "setup.cfg":
        return [], "install_requires" not in text
    if name == "pyproject.toml":
        try:
            project = Toml(Source(name, text)).table("project") or {}
        except SettingsError:
            return [], False
        listed = project.get("dependencies")
        dynamic = project.get("dynamic")
        if not isinstance(listed, list):
            return [], not (isinstance(dynamic, list) and "dependencies" in dynamic)
        return [each for each in listed if isinstance(each, str) and is_requirement(each)], True
    return listed_in_text(text)


def _requires_python(name: str, text: str) -> str | None:
    try:
        value = (Toml(Source(name, text)).table("project") or {}).get("requires-python")
    except SettingsError:
        return None
    return value if isinstance(value, str) else None


def _is_cloud(requirement: str) -> bool:
    return re.sub(r"[-_.]+", "-", Requirement(requirement).name).lower() == _CLOUD


def _in(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"
