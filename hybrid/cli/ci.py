"""``hybrid ci``: what a repository's CI needs, written for its pipeline."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import Json
from hybrid.errors import SettingsError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hybrid.workflows.mark import Standing
    from hybrid.workflows.pipeline import Pipeline

app = typer.Typer(no_args_is_help=True, help="The workflows of a repository's CI.")


class Forge(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True)
class _File:
    """``wanted`` None: it is written no more."""

    path: str
    present: str | None
    wanted: str | None
    standing: Standing

    @property
    def difference(self) -> str:
        lines = difflib.unified_diff(
            (self.present or "").splitlines(keepends=True),
            (self.wanted or "").splitlines(keepends=True),
            self.path if self.present is not None else "/dev/null",
            self.path if self.wanted is not None else "/dev/null",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


@app.callback()
def ci() -> None:
    """The workflows of a repository's CI."""


@app.command()
def init(
    forge: Annotated[Forge, typer.Argument(help="Where the repository is hosted.")],
    write: Annotated[bool, typer.Option("--write", help="Write them; what somebody edited is left alone.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --write: what somebody edited too.")] = False,
    check: Annotated[bool, typer.Option("--check", help="End with 3 when they are not what would be written.")] = False,
    as_json: Json = False,
) -> None:
    """Show the workflows that stacks/pipeline.yaml asks for beside those that are there: reviews, branch deployments,
    deploys, drift. A file carries a hash of itself, so that one which nobody edited is brought up to date. Step by
    step: docs/ci.md.

    Examples: [bold]hybrid ci init github[/]  ·  [bold]hybrid ci init gitlab --write[/]
    """
    if check and write:
        raise UsageError("--check and --write exclude each other.", next_step="run them one after the other.")
    if force and not write:
        raise UsageError("--force is for --write.", next_step="add --write, or leave --force away.")
    workspace = Workspace.of_this_checkout()
    pipeline = _pipeline(workspace)
    files = _files(workspace.root, pipeline, forge)
    differing = [file for file in files if file.standing != "same"]
    left = [file for file in differing if file.standing == "edited" and not force]
    written, removed = _write(workspace.root, differing, left) if write else ((), ())
    if as_json:
        _answer(pipeline, forge, files, written, removed)
    else:
        from hybrid.redaction import redact

        sys.stdout.write(redact("".join(file.difference for file in (left if write else differing))))
        _say(pipeline, forge, differing, written, removed, write=write)
    if check and differing:
        raise SettingsError(
            f"The workflows are not what `hybrid ci init {forge.value}` would write: {_listed(differing)}.",
            next_step=f"`hybrid ci init {forge.value} --write`, and commit them.",
        )
    if write and left:
        raise SettingsError(
            f"Somebody edited {_listed(left)}; {'it is' if len(left) == 1 else 'they are'} left as found.",
            next_step="take over by hand what is shown above, or give --force as well.",
        )


def _pipeline(workspace: Workspace) -> Pipeline:
    """The settings as plain values, with what the stacks' programs take from their environment."""
    from hybrid.engine.pipeline import read_pipeline
    from hybrid.workflows.pipeline import DeployedStack, Pipeline

    given = read_pipeline(workspace)
    branches = given.branch_deployments
    return Pipeline(
        branch=given.branch,
        deploy=tuple(
            DeployedStack(each.stack, each.approval, _secrets(workspace, each.stack)) for each in given.deploy
        ),
        branch_stack=branches.stack if branches else None,
        branch_secrets=_secrets(workspace, branches.stack, builds_only=True) if branches else (),
    )


def _secrets(workspace: Workspace, stack: str, *, builds_only: bool = False) -> tuple[str, ...]:
    from hybrid.engine.stack import identity

    settings = identity(workspace, stack).settings
    sources = settings.images.secrets.values()
    builds = [source.removeprefix("env:") for source in sources if source.startswith("env:")]
    values = [] if builds_only else [each.from_environment for each in settings.environment_variables]
    return tuple(dict.fromkeys(name for name in (*values, *builds) if name))


def _files(root: Path, pipeline: Pipeline, forge: Forge) -> list[_File]:
    from hybrid.workflows import github, gitlab
    from hybrid.workflows.mark import is_unedited, standing

    if forge is Forge.GITHUB:
        texts, paths = github.github_files(pipeline), github.PATHS
    else:
        texts, paths = gitlab.gitlab_files(pipeline), gitlab.PATHS
    found = []
    for path in paths:
        present, wanted = _present(root, path), texts.get(path)
        if wanted is not None:
            found.append(_File(path, present, wanted, standing(present, wanted)))
        elif present is not None:
            found.append(_File(path, present, None, "outdated" if is_unedited(present) else "edited"))
    return found


def _present(root: Path, path: str) -> str | None:
    place = root / path
    if any(part.is_symlink() for part in (place, *place.parents) if part.is_relative_to(root) and part != root):
        raise SettingsError(f"{path} is, or is behind, a symbolic link.", next_step="move it away.")
    try:
        return place.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{path} cannot be read.", next_step="move it away, and run the command again.") from None


def _write(root: Path, differing: Sequence[_File], left: Sequence[_File]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from hybrid.delivery.written_files import write_files

    changed = [file for file in differing if file not in left]
    written = write_files(root, {file.path: file.wanted for file in changed if file.wanted is not None})
    removed = tuple(file.path for file in changed if file.wanted is None)
    for path in removed:
        (root / path).unlink(missing_ok=True)
    return written, removed


def _answer(
    pipeline: Pipeline, forge: Forge, files: Sequence[_File], written: Sequence[str], removed: Sequence[str]
) -> None:
    from hybrid.cli.console import answer_json
    from hybrid.workflows.environments import environments

    answer_json(
        {
            "forge": forge.value,
            "branch": pipeline.branch,
            "files": [
                {"path": file.path, "standing": file.standing, "text": file.wanted, "difference": file.difference}
                for file in files
            ],
            "written": written,
            "removed": removed,
            "environments": [each.document() for each in environments(pipeline, forge.value)],
        }
    )


def _say(
    pipeline: Pipeline,
    forge: Forge,
    differing: Sequence[_File],
    written: Sequence[str],
    removed: Sequence[str],
    *,
    write: bool,
) -> None:
    from hybrid.cli.console import note
    from hybrid.workflows.environments import environments

    if not differing:
        note("The workflows are what would be written.")
        return
    if not write:
        note("Nothing is written without --write.")
        return
    note(f"Written: {', '.join(written) or 'nothing'}. Removed: {', '.join(removed) or 'nothing'}.")
    note("Environments that the jobs need (docs/ci.md says how to make them, and what each credential may do):")
    for each in environments(pipeline, forge.value):
        note(f"- {each.sentence(pipeline.branch)}")


def _listed(files: Sequence[_File]) -> str:
    return ", ".join(file.path for file in files)
