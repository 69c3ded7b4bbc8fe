"""GitHub's workflows of a repository, by their paths."""

from __future__ import annotations

from typing import Final

from hybrid.workflows.github_branch import branch_workflow
from hybrid.workflows.github_deploy import deploy_workflow
from hybrid.workflows.github_drift import drift_workflow
from hybrid.workflows.github_review import review_workflow
from hybrid.workflows.mark import marked
from hybrid.workflows.pipeline import Pipeline

FOLDER: Final = ".github/workflows"
PATHS: Final = tuple(f"{FOLDER}/{name}.yml" for name in ("review", "branch", "deploy", "drift"))
"""All that may be written; that of branch deployments only where there are any."""


def github_files(pipeline: Pipeline) -> dict[str, str]:
    """Texts by path. What is read of them by GitHub is held by ``tests/contracts/test_workflows.py``."""
    texts = {
        "review": review_workflow(pipeline),
        "deploy": deploy_workflow(pipeline),
        "drift": drift_workflow(pipeline),
    }
    if pipeline.branch_stack is not None:
        texts["branch"] = branch_workflow(pipeline)
    return {f"{FOLDER}/{name}.yml": marked(text, "github") for name, text in sorted(texts.items())}
