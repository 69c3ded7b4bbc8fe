"""The Dockerfile in place of a Python executable (PEX).

What Serverless installs: dagster_cloud_cli/core/pex_builder/deps.py of 1.13.27 takes requirements.txt, setup.py and
pyproject.toml together; source.py builds the folder's own package and those that requirements.txt names by paths, and
lays the whole folder beside them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from hybrid.delivery.images.scaffold import LOCK, Layout, dockerfile
from hybrid.switch.finding import Finding, FindingKind
from hybrid.switch.fixes.fix import Contents, Fix, ProposedFile, below, folder_of
from hybrid.switch.fixes.mark import is_unedited, marked

DEFAULT_PYTHON: Final = "3.11"
"""DEFAULT_PYTHON_VERSION in dagster_cloud_cli/utils.py of 1.13.27."""

BASE: Final = "BASE_IMAGE"
"""The argument of the build for another base: not PYTHON_IMAGE, which a stack gives every build, so that the Python
would be the stack's and not the executable's."""

REQUIREMENTS: Final = "requirements.txt"
SETUP: Final = "setup.py"
PYPROJECT: Final = "pyproject.toml"

# As deps.py has it, with its reason: that release has generated code of a protobuf which dagster does not take, and
# its own metadata does not say so.
_EXTRA: Final = "grpcio-health-checking<1.82"
_OWN: Final = "It is a Dockerfile of your own, which stays. dagster-cloud has to be among what it installs."
_SUPPORTED: Final = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")  # SUPPORTED_PYTHON_VERSIONS there
_PYTHON: Final = re.compile(r"3\.\d{1,2}")
IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}")
"""References of images, as far as they can stand in a Dockerfile."""
_COMMENT: Final = re.compile(r"(^#|\s#).*")
_INCLUDES: Final = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s|=|$)")
_EDITABLE: Final = re.compile(r"(?:-e|--editable)(?:\s|=|$)")
_NEEDS_FOLDER: Final = re.compile(r"\.{1,2}(?:/|\[|$)|/|file:")


@dataclass(frozen=True, slots=True)
class _Requirements:
    """What of a requirements.txt decides where it can be installed."""

    lines: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> _Requirements:
        joined = re.sub(r"\\\r?\n", "", text)
        stripped = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
        return cls(tuple(line for line in stripped if line))

    @property
    def editable(self) -> bool:
        return any(_EDITABLE.match(line) for line in self.lines)

    @property
    def needs_folder(self) -> bool:
        return self.editable or any(_INCLUDES.match(line) or _NEEDS_FOLDER.match(line) for line in self.lines)

    @property
    def hashed(self) -> bool:
        return any("--hash" in line for line in self.lines)

    def outside(self) -> Iterator[str]:
        """Lines with a path that leads out of the folder."""
        for line in self.lines:
            path = re.sub(r"^(?:-e|--editable|-r|-c|--requirement|--constraint)[\s=]*", "", line)
            path = path.removeprefix("file://").removeprefix("file:")
            if path.startswith("/") or _climbs(path):
                yield line


def fix_pex_build(finding: Finding, contents: Contents) -> Fix:
    """A Dockerfile for the folder. The fact ``python_version`` is the executable's; by default Serverless's own."""
    folder = folder_of(finding)
    who = finding.location or folder or "the repository"
    path = below(folder, "Dockerfile")
    if "Dockerfile" in contents.names(folder) and not is_unedited(contents.text(path) or ""):
        return Fix(finding, f"the image of {who} is built from {path}", notes=(_OWN,))
    wanted = finding.facts.get("python_version", DEFAULT_PYTHON)
    python = _python(wanted)
    notes = [
        f"Python {python}, as the executable has; `hybrid:images.arguments` with {BASE} chooses another.",
        "Code is in /opt/dagster/app, belongs to root, and runs as the user 1000, whose only place to write is /tmp.",
        "The image is for linux/amd64 unless `hybrid:images.platforms` says otherwise; Serverless runs that too.",
    ]
    if python != wanted:
        notes[0] = f"Python {python}, for {wanted[:40]!r}; `hybrid:images.arguments` with {BASE} chooses another."
    layout, by_hand = layout_of(contents, folder)
    base = finding.facts.get("base_image") or f"python:{python}-slim"
    if not IMAGE.fullmatch(base):
        by_hand.append(f"The base image {base[:100]!r} cannot be written into a Dockerfile: put it in by hand.")
        base = f"python:{python}-slim"
    text = dockerfile(layout, base, BASE)
    instead = "in place of the Python executable of" if finding.kind is FindingKind.PEX_BUILD else "for"
    return Fix(
        finding,
        f"a Dockerfile {instead} {who}",
        files=(ProposedFile(path, marked(text)),),
        by_hand=tuple(by_hand),
        notes=tuple(notes),
    )


def layout_of(contents: Contents, folder: str) -> tuple[Layout, list[str]]:
    """How the folder is installed, and what somebody has to do first.

    A ``requirements.lock`` stands in for all that the other files list, as in Dockerfiles that we make up otherwise.
    """
    lock = contents.text(below(folder, LOCK))
    listed = contents.text(below(folder, REQUIREMENTS))
    needs = _Requirements.parse(listed or "")
    has_setup = SETUP in contents.names(folder)
    project, builds = _project(contents.text(below(folder, PYPROJECT)))
    by_hand = [
        f"{below(folder, REQUIREMENTS)} has the line `{line[:200]}`, which leads out of the folder that the image is "
        "built from: name the folder above both as `directory` in build.yaml, or publish it as a package."
        for line in needs.outside()
    ]
    files: list[str] = []
    late: list[str] = []
    if lock is not None:
        files = [LOCK]
    else:
        if project.get("dependencies"):
            files.append(PYPROJECT)
        if listed is not None and needs.lines:
            (late if needs.needs_folder else files).append(REQUIREMENTS)
        if not files and not late and not has_setup:
            by_hand.append(
                f"{folder or 'The folder'} names no requirements: add a requirements.txt with dagster-cloud."
            )
    from_folder = [f"-r {name}" for name in late]
    if has_setup or builds:
        # what the lock or the project's own list has is there already; only setup.py can tell what it needs
        own = "." if has_setup and lock is None else "--no-deps ." if not late else "."
        from_folder.append(own)
    hashed = "--hash=" in lock if lock is not None else needs.hashed and files == [REQUIREMENTS]
    return Layout(
        tuple(files),
        hashed=hashed,
        src=_has_src(contents, folder),
        further=() if lock is not None or needs.hashed else (_EXTRA,),
        from_folder=tuple(from_folder),
        editable=bool(late) and needs.editable,
    ), by_hand


def _python(wanted: str) -> str:
    """A version that Serverless runs: the one named, or of a range its default, else the lowest."""
    if _PYTHON.fullmatch(wanted):
        return wanted
    try:
        allowed = SpecifierSet(wanted)
    except InvalidSpecifier:
        return DEFAULT_PYTHON
    return next((each for each in (DEFAULT_PYTHON, *_SUPPORTED) if allowed.contains(f"{each}.99")), DEFAULT_PYTHON)


def _project(text: str | None) -> tuple[dict[str, Any], bool]:
    """``[project]``, and whether the file is that of a package."""
    try:
        document = tomllib.loads(text or "")
    except tomllib.TOMLDecodeError:
        return {}, False
    project = document.get("project")
    return (project if isinstance(project, dict) else {}), "project" in document or "build-system" in document


def _has_src(contents: Contents, folder: str) -> bool:
    return bool(contents.python_files(below(folder, "src")))


def _climbs(path: str) -> bool:
    """Whether a path leaves the folder that it starts in."""
    depth = 0
    for part in path.partition("[")[0].split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return False
