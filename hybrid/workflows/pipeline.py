"""What workflows are written for: the pipeline's settings as plain values, and names that may stand in YAML and shell.

Pure: nothing is read, and whatever is wrong is said before a text is made of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from hybrid.errors import SettingsError
from hybrid.workspace import STACK_NAME

OWN_ENVIRONMENTS: Final = ("review", "branch", "drift")
"""Environments of the forge that jobs of ours have beside those that are called as stacks are."""
_BRANCH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_TAKEN: Final = re.compile(
    r"(?!GITHUB_TOKEN$|GITLAB_TOKEN$)(?:(?:GITHUB|GITLAB|RUNNER|ACTIONS|CI|LD|DOCKER|AWS|PULUMI|DAGSTER_CLOUD)_"
    r"|(?:CI|PATH|HOME|SHELL|IFS|ENV|BASH_ENV|STACK|ACCEPT|BASE|NUMBER)$)",
    re.IGNORECASE,
)
"""Variables by which CI's machines, their shells, or the jobs themselves go."""


@dataclass(frozen=True)
class DeployedStack:
    """One stack that a merge deploys."""

    name: str
    approval: bool = False
    """Whether somebody is asked before."""
    secrets: tuple[str, ...] = ()
    """Variables of the environment that its program takes values from, and its images' builds."""


@dataclass(frozen=True)
class Pipeline:
    """What CI does with a repository. Raises ``SettingsError`` for names that cannot be."""

    branch: str = "main"
    """The only branch that deploys."""
    deploy: tuple[DeployedStack, ...] = ()
    """In order."""
    branch_stack: str | None = None
    """The stack whose agent serves branch deployments; None: there are none."""
    branch_secrets: tuple[str, ...] = ()
    """Variables of the environment that builds of its images take secrets from."""

    def __post_init__(self) -> None:
        if not _BRANCH.fullmatch(self.branch):
            raise SettingsError(
                f"{self.branch!r} cannot be the branch that deploys.",
                why="It has 1 to 200 of letters, digits and . _ / -, and begins with a letter, digit or _.",
                next_step="name another in `branch` of stacks/pipeline.yaml.",
            )
        for stack in self.deploy:
            _refuse_bad_stack(stack.name)
            _refuse_bad_variables(stack.name, stack.secrets)
        if self.branch_stack is not None:
            _refuse_bad_stack(self.branch_stack, deploys=False)
            _refuse_bad_variables(self.branch_stack, self.branch_secrets)
        names = [stack.name for stack in self.deploy]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SettingsError(
                f"The stack {twice[0]} is deployed more than once.", next_step="mend stacks/pipeline.yaml."
            )

    @property
    def drift_secrets(self) -> tuple[str, ...]:
        """What the programs of all deployed stacks need."""
        return tuple(dict.fromkeys(name for stack in self.deploy for name in stack.secrets))


def quoted(text: str) -> str:
    """``text`` in YAML, whatever it is: JSON's strings are YAML's."""
    return json.dumps(text)


def filled(template: str, **values: str) -> str:
    """``template`` with each ``<<name>>`` replaced. A line that is nothing but a name of an empty value goes.

    Raises ``KeyError`` for a name without a value.
    """
    lines = []
    for line in template.splitlines():
        alone = re.fullmatch(r"\s*<<(\w+)>>", line)
        if alone and not values[alone[1]]:
            continue
        lines.append(re.sub(r"<<(\w+)>>", lambda found: values[found[1]], line))
    return "\n".join(lines) + "\n"


def _refuse_bad_stack(name: str, *, deploys: bool = True) -> None:
    if not STACK_NAME.fullmatch(name):
        raise SettingsError(f"'{name}' cannot be a stack's name.", next_step="mend stacks/pipeline.yaml.")
    if deploys and name in OWN_ENVIRONMENTS:
        raise SettingsError(
            f"The stack '{name}' cannot be deployed by CI under this name.",
            why=f"The jobs of pull requests run in an environment called '{name}': what deploys the stack would be in "
            "their hands.",
            next_step="give the stack another name.",
        )


def _refuse_bad_variables(stack: str, names: tuple[str, ...]) -> None:
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise SettingsError(f"{name!r} cannot be a variable's name.", next_step=f"mend the stack {stack}.")
        if _TAKEN.match(name):
            raise SettingsError(
                f"The stack {stack} takes a value from the variable {name}, which CI uses for something else.",
                why="Under that name a job has a value of its own, or a credential that is not every job's.",
                next_step="take it from a variable of another name.",
            )
