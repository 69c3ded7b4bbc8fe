"""Workflows with Serverless's actions: what `hybrid ci init` writes takes their place."""

from __future__ import annotations

from typing import Final

from hybrid.switch.finding import Finding
from hybrid.switch.fixes.fix import Contents, Fix, ProposedFile, Wishes, file_of
from hybrid.switch.fixes.mark import marked

PIPELINE: Final = "stacks/pipeline.yaml"
_GITLAB: Final = ".gitlab-ci.yml"


def fix_workflow(finding: Finding, contents: Contents, wishes: Wishes) -> Fix:
    """All files of the forge that the old one is of, the old one named for removal.

    On GitHub they lie beside it. GitLab's own file is the one that is replaced: it is somebody's, and includes the new
    ones by hand. A repository without a stacks/pipeline.yaml gets one that deploys the stack.
    """
    old = file_of(finding)
    forge = finding.facts.get("provider") or ("gitlab" if old.rpartition("/")[2] == _GITLAB else "github")
    texts = wishes.workflows.get(forge)
    if texts is None:
        nothing = (f"{old} is of a CI that nothing can be written for: docs/ci.md says what its jobs have to do.",)
        return Fix(finding, f"workflows in place of {old}", by_hand=nothing)
    if wishes.apart:
        return _elsewhere(finding, old, forge)
    files = [ProposedFile(path, text) for path, text in texts.items()]
    if contents.text(PIPELINE) is None:
        files.insert(0, ProposedFile(PIPELINE, marked(f"branch: main\n\ndeploy:\n  - stack: {wishes.stack}\n")))
    is_replaced = old in texts
    by_hand: list[str] = []
    afterwards: list[str] = []
    if is_replaced:
        by_hand.append(f"{old} is somebody's: move what else it does into a file of its own, then take the new text.")
    else:
        afterwards.append(f"Remove {old} with the switch, not before: until then it is what deploys to Serverless.")
    return Fix(
        finding,
        f"workflows in place of {old}",
        files=tuple(files),
        by_hand=tuple(by_hand),
        afterwards=tuple(afterwards),
        notes=(
            f"`hybrid ci init {forge}` says which secrets and environments the jobs need.",
            "Both at once would each tell Dagster+ what a location runs, and the last one wins: merge the new files "
            "with the switch too.",
        ),
        obsolete=() if is_replaced else (old,),
    )


def _elsewhere(finding: Finding, old: str, forge: str) -> Fix:
    """The stack deploys from its own checkout, so that nothing of it works in the code's repository."""
    return Fix(
        finding,
        f"what takes the place of {old} is in the checkout of the stack",
        by_hand=(
            f"`hybrid ci init {forge} --write` in the checkout of the stack writes the workflows that deploy it; let "
            "the code's repository start them when it has changed.",
        ),
        afterwards=(f"Remove {old} with the switch, not before: until then it is what deploys to Serverless.",),
        obsolete=(old,),
    )
