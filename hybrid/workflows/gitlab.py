"""GitLab's jobs of a repository: one file, which the repository's own `.gitlab-ci.yml` includes."""

from __future__ import annotations

from typing import Final

from hybrid.workflows.gitlab_jobs import BRANCH, DEPLOY, DRIFT, HEAD, NO_DEPLOY, REVIEW
from hybrid.workflows.mark import marked
from hybrid.workflows.pipeline import DeployedStack, Pipeline, filled, quoted

PATH: Final = ".gitlab/hybrid.yml"
PATHS: Final = (PATH,)


def gitlab_files(pipeline: Pipeline) -> dict[str, str]:
    """The text by its path. Secrets need no line of their own: GitLab hands all variables of a job's environment on."""
    values = {"branch": quoted(pipeline.branch)}
    parts = [filled(HEAD, **values), filled(REVIEW, **values)]
    if pipeline.branch_stack is not None:
        parts.append(filled(BRANCH, **values))
    parts += _deploys(pipeline)
    parts.append(filled(DRIFT, **values))
    return {PATH: marked("\n".join(parts), "gitlab")}


def _deploys(pipeline: Pipeline) -> list[str]:
    if not pipeline.deploy:
        return [NO_DEPLOY]
    before: list[DeployedStack | None] = [None, *pipeline.deploy[:-1]]
    return [_deploy(pipeline, stack, earlier) for stack, earlier in zip(pipeline.deploy, before, strict=True)]


def _deploy(pipeline: Pipeline, stack: DeployedStack, earlier: DeployedStack | None) -> str:
    return filled(
        DEPLOY,
        stack=stack.name,
        quoted=quoted(stack.name),
        branch=quoted(pipeline.branch),
        needs=f'needs: ["hybrid:deploy:{earlier.name}"]' if earlier else "needs: []",
        approval="when: manual # somebody starts it; protect the environment, so that not everybody can"
        if stack.approval
        else "",
        stops="allow_failure: false" if stack.approval else "",
    )
