"""What CI does with this repository, as the team says it: ``stacks/pipeline.yaml``. Which branch is deployed, to which
stacks and in which order, what is run to see that it works, and which stack's agent serves branch deployments.

Pure: a mapping in, ``PipelineSettings`` out, or one ``SettingsError`` that names the file and each key that is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, model_validator

from agent.spec import LocationName, Spec
from hybrid.errors import SettingsError
from hybrid.workspace import STACK_NAME
from stacks.settings_words import allowed, key_of

FILE = "pipeline.yaml"

StackName = Annotated[str, StringConstraints(pattern=rf"^{STACK_NAME.pattern}$")]
BranchName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$")]


class SmokeRun(Spec):
    """A job that is run after a deploy; the deploy has failed when it fails."""

    location: LocationName
    """The code location."""

    job: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,250}$")]
    """The job. It should be quick and harmless: it runs after every deploy."""

    timeout_seconds: int = Field(default=600, ge=10, le=86400)
    """How long it may take, in seconds. Default 600: an image that is pulled for the first time fits."""


class DeployedStack(Spec):
    """One stack that a merge deploys."""

    stack: StackName
    """The stack."""

    approval: bool = False
    """Whether somebody is asked before: the job waits in the GitHub environment or GitLab environment of the stack's
    name, whose reviewers are set there. Default: no."""

    smoke: SmokeRun | None = None
    """What is run to see that it works. Default: nothing."""


class BranchDeployments(Spec):
    """Where the branch deployment of a pull request lives."""

    stack: StackName
    """The stack whose agent serves branch deployments (`hybrid:agent.branchDeployments`), and whose deployment they
    are based on."""


class PipelineSettings(Spec):
    """What CI does with this repository."""

    branch: BranchName = "main"
    """The only branch from which full deployments are changed."""

    deploy: tuple[DeployedStack, ...] = ()
    """The stacks that a merge deploys, one after the other. Default: none; they are deployed by hand."""

    branch_deployments: BranchDeployments | None = None
    """Branch deployments of pull requests. Default: none are made."""

    @model_validator(mode="after")
    def _named_once(self) -> PipelineSettings:
        repeated = [name for name, count in Counter(each.stack for each in self.deploy).items() if count > 1]
        if repeated:
            raise ValueError(f"`deploy` names a stack more than once: {', '.join(repeated)}")
        return self


def parse_pipeline(values: Mapping[str, Any], *, source: str = f"stacks/{FILE}") -> PipelineSettings:
    """Raises ``SettingsError``: one message with the file, each wrong key and what is allowed there."""
    try:
        return PipelineSettings.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError(
            f"The settings in {source} are wrong:",
            why="\n".join(f"  {_key(problem['loc'])}: {allowed(problem)}" for problem in error.errors()),
            next_step=f"mend {source}; docs/ci.md lists every key.",
        ) from None


def pipeline_from_file(folder: Path) -> PipelineSettings:
    """The settings in ``folder``, or the defaults when the file is not there.

    Raises ``SettingsError`` when it cannot be read, is not YAML or says something that cannot be.
    """
    import yaml

    file = folder / FILE
    source = f"stacks/{FILE}"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return PipelineSettings()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{source} cannot be read.", why=str(error), next_step="mend the file.") from None
    if document is None:
        return PipelineSettings()
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise SettingsError(f"{source} is not a mapping of settings.", next_step="docs/ci.md has an example.")
    return parse_pipeline(document, source=source)


def _key(loc: tuple[int | str, ...]) -> str:
    return key_of(loc).removeprefix("hybrid:")
