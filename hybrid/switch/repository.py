"""What a repository tells of a switch, as values that can be saved: its code locations, and what in them and beside
them counts on Serverless. Paths are relative to the repository; ``.`` is its root; lines are from 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class FolderLocation:
    """A code location as its files describe it, as far as the switch cares."""

    name: str
    folder: str
    """Its build context: where its Dockerfile, requirements and hooks are looked for."""
    file: str
    """The file that names it: dagster_cloud.yaml, pyproject.toml or dg.toml."""
    line: int
    source_kind: str
    """module_name, package_name, python_file or autoload_defs_module_name."""
    source_name: str
    is_legacy: bool
    """Whether a dagster_cloud.yaml names it."""
    registry: str | None = None
    image: str | None = None
    executable_path: str | None = None
    agent_queue: str | None = None
    dockerfile: str | None = None
    pre_hook: str | None = None
    post_hook: str | None = None
    requirements: list[str] = field(default_factory=list)
    """The files with its requirements, the one that is installed first at the beginning."""
    requires_python: str | None = None
    names_dagster_cloud: bool | None = None
    """Whether they name the distribution dagster-cloud; None: they cannot be told without running something."""
    names_serverless_extra: bool = False
    """Whether they name it with the extra ``serverless``."""

    @property
    def has_hooks(self) -> bool:
        return bool(self.pre_hook or self.post_hook)


@dataclass(frozen=True, slots=True)
class Spot:
    """Something in a file. ``what`` is a variable's name, a base image, or empty."""

    file: str
    line: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class ServerlessWorkflow:
    """See ``hybrid.switch.workflow_scan.WorkflowFacts``."""

    file: str
    provider: Literal["github", "gitlab", "other"]
    lines: list[int]
    builds: list[str]


@dataclass(frozen=True, slots=True)
class FoundBaseImage:
    """A base image of the team's own, named by a workflow."""

    file: str
    line: int
    value: str
    is_tag: bool


@dataclass(frozen=True, slots=True)
class FolderAssets:
    """What the Python files of one location's folder say of how its assets are stored; counts of assets that store
    something. ``definitions``: own when one of its calls of Definitions has a resource ``io_manager``, unknown when
    that cannot be told."""

    folder: str
    by_default: int
    by_own: int
    unknown: int
    definitions: Literal["own", "default", "unknown", "none"]
    first: Spot | None
    """The first asset that the default IO manager would store."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A file of which nothing is known, and why."""

    file: str
    why: str


@dataclass(frozen=True)
class RepositoryState:
    """The repository at ``commit`` (None: not known)."""

    commit: str | None
    files: int
    locations: list[FolderLocation]
    workflows: list[ServerlessWorkflow]
    base_images: list[FoundBaseImage]
    variables: list[Spot]
    libraries: list[Spot]
    isolation: list[Spot]
    assets: list[FolderAssets]
    unread: list[Unread]
    legacy_files: list[str]

    @property
    def builds(self) -> set[str]:
        """How its workflows build for Serverless, as far as they say: pex, docker."""
        return {how for workflow in self.workflows for how in workflow.builds}

    def location(self, name: str) -> FolderLocation | None:
        return next((each for each in self.locations if each.name == name), None)

    def owners(self, path: str) -> list[FolderLocation]:
        """The locations in whose folder the file lies, as deep as there are any: several may share one."""
        found = [each for each in self.locations if each.folder == "." or f"{path}/".startswith(f"{each.folder}/")]
        deepest = max((len(each.folder) if each.folder != "." else 0 for each in found), default=0)
        return [each for each in found if (len(each.folder) if each.folder != "." else 0) == deepest]
