"""A git repository made from this checkout, of files of its own: a base commit with a stack a platform, and changes in
the working tree."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hybrid.review.base_tree import BaseTree
from hybrid.review.document import StackReview
from hybrid.review.offline import review_stack_offline
from hybrid.review.reviewer import Request, review
from hybrid.workspace import Workspace

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_FOLDERS: Final = ("stacks", "agent", "infra", "hybrid", "policies", "locations")
_FILES: Final = ("Pulumi.yaml", "pyproject.toml", "requirements.lock", ".gitignore")

ECS: Final = """secretsprovider: awskms://alias/x
config:
  hybrid:organization: acme
  hybrid:agent:
    kind: ecs
  hybrid:aws:
    account: "123456789012"
    region: eu-central-1
  hybrid:locations: [hello, migrated]
  hybrid:environmentVariables:
    - name: DB_PASSWORD
      secret: db_password
    - name: FROM_OUTSIDE
      fromEnvironment: OUTER_PASSWORD
  secrets:db_password:
    secure: v1:c29tZSBub25jZQ==:c29tZSBjaXBoZXJ0ZXh0
"""
DOCKER: Final = """config:
  hybrid:organization: acme
  hybrid:agent:
    kind: docker
  hybrid:registry:
    address: ghcr.io/acme
  hybrid:locations: [hello, migrated]
"""
LOCAL: Final = """config:
  hybrid:agent:
    kind: local
  hybrid:locations: [hello]
"""
STACKS: Final = {"prod": ECS, "staging": DOCKER, "laptop": LOCAL}


@dataclass(frozen=True)
class Repository:
    """One repository with a branch `main`."""

    root: Path

    @classmethod
    def made(cls, root: Path) -> Repository:
        """From this checkout's files, with ``STACKS``, committed."""
        root.mkdir(parents=True)
        ignored = shutil.ignore_patterns("__pycache__", "Pulumi.*", ".venv", "*.egg-info")
        for name in _FOLDERS:
            shutil.copytree(REPOSITORY / name, root / name, ignore=ignored)
        for name in _FILES:
            shutil.copy(REPOSITORY / name, root / name)
        for name, text in STACKS.items():
            (root / "stacks" / f"Pulumi.{name}.yaml").write_text(text, encoding="utf-8")
        found = cls(root)
        found.git("init", "--quiet", "--initial-branch=main")
        found.commit("base")
        return found

    def cloned(self, root: Path) -> Repository:
        """A clone on a branch of its own, beside `main`."""
        subprocess.run(["git", "clone", "--quiet", "--local", str(self.root), str(root)], check=True)
        found = Repository(root)
        found.git("checkout", "--quiet", "-b", "change")
        return found

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", *arguments],
            cwd=self.root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r} any more: this test has to be looked at"
        self.write(path, text.replace(old, new, 1))

    def review(self, stack: str, *, whole: bool = False, state: Path | None = None) -> StackReview:
        """``stack`` against the commit `main`, in this process. ``whole``: with the base's own program."""
        commit = self.git("rev-parse", "main").strip()
        with BaseTree.at(self.root, commit, whole=whole) as base:
            return review_stack_offline(Workspace(self.root), stack, base=base, touched_by=(), state=state)

    def reviewed(self, *stacks: str) -> dict[str, StackReview]:
        """What `hybrid review --offline` finds; without ``stacks``, of those that are touched."""

        def no_pulumi() -> None:
            raise AssertionError("an offline review needs no Pulumi")

        request = Request(workspace=Workspace(self.root), base="main", stacks=stacks, offline=True)
        found = review(request, no_pulumi, lambda _: None)  # type: ignore[arg-type]
        return {each.stack: each for each in found.stacks}


def steps(review: StackReview) -> dict[str, str]:
    """Operation by resource."""
    return {step.resource: step.operation for step in review.steps}


def said(review: StackReview, part: str) -> str:
    """Why a part is missing."""
    return "\n".join(each.why for each in review.missing if each.part == part)
