"""What takes the place of non-isolated runs: one of two executors in the code, or a tag on single runs."""

from __future__ import annotations

from typing import Final

from hybrid.switch.finding import Finding
from hybrid.switch.fixes.fix import Choice, Contents, Executor, Fix, ProposedFile, Wishes, file_of, folder_of, normal
from hybrid.switch.fixes.insertion import Unclear, count_of_definitions, with_executor

TAG: Final = "dagster/isolation"

_PASTE: Final = """\
from dagster import Definitions, {name}

defs = Definitions(
    # what is there already
    executor={name},
)"""
_TAG_PASTE: Final = """\
from dagster import define_asset_job

job = define_asset_job("quick", tags={"dagster/isolation": "disabled"})"""

CHOICES: Final[dict[Executor, Choice]] = {
    "in_process": Choice(
        "in_process",
        "Definitions(executor=in_process_executor): all steps of a run in the one process of its run worker.",
        "Each run still waits for a container (tens of seconds on Fargate). Steps run one after the other and share "
        "memory; nothing is started for each step, so runs of many small steps are quicker than with the default.",
        _PASTE.format(name="in_process_executor"),
    ),
    "multiprocess": Choice(
        "multiprocess",
        "Definitions(executor=multiprocess_executor): a process for each step in the run worker. It is the default of "
        "isolated runs, said so that it is seen; `max_concurrent` limits it.",
        "Each run waits for a container, and each step for a process that imports the code again (seconds). Steps run "
        "beside each other, so the run worker's memory has to be enough for all of them.",
        _PASTE.format(name="multiprocess_executor"),
    ),
    "tag": Choice(
        "tag",
        f"The tag `{TAG}: disabled` on single jobs or runs: the agent runs them in the code server, as Serverless did "
        "(dagster_cloud, DagsterCloudAgentInstance.get_run_launcher_for_run; every launcher).",
        "They start at once. They take memory and CPU of the code server, which has to be larger and whose crash or "
        "redeployment ends them; other runs and the schedules of the location wait for it while it is busy. Dagster's "
        "own guide says that Hybrid has no such runs, its page on run isolation that it has: try one first.",
        _TAG_PASTE,
    ),
}


def fix_non_isolated_runs(finding: Finding, contents: Contents, wishes: Wishes) -> Fix:
    """The three ways with what each costs; one of them written, when it was chosen and there is one place for it."""
    title = f"what takes the place of non-isolated runs{f' of {finding.location}' if finding.location else ''}"
    if wishes.executor is None:
        by_hand = ("Choose one with --executor in_process, multiprocess or tag; without it no code is edited.",)
        return Fix(finding, title, choices=tuple(CHOICES.values()), by_hand=by_hand)
    choice = CHOICES[wishes.executor]
    if wishes.executor == "tag":
        return Fix(finding, title, choices=(choice,), by_hand=(f"Put the tag on the jobs:\n{choice.paste}",))
    name = f"{wishes.executor}_executor"
    files: list[ProposedFile] = []
    unclear: list[str] = []
    for folder in _folders(finding, contents, wishes):
        try:
            files.append(_written(folder, contents, name))
        except Unclear as error:
            unclear.append(f"{folder or 'the repository'}: no code is edited, {error.why}.")
    if not files and not unclear:
        unclear.append("No code is edited: it is not known which locations have such runs.")
    if unclear:
        unclear.append(f"Put it in by hand:\n{choice.paste}")
    note = "The executor is that of all jobs of these files that have none of their own, not only of non-isolated ones."
    return Fix(
        finding,
        title,
        files=tuple(files),
        choices=(choice,),
        by_hand=tuple(unclear),
        notes=(note,) if files else (),
    )


def _folders(finding: Finding, contents: Contents, wishes: Wishes) -> list[str]:
    """Those of the locations that had such runs, as far as it is known; else that of the finding itself."""
    named = [name.strip() for name in finding.facts.get("locations", "").split(",") if name.strip()]
    found = {normal(wishes.folders[name]) for name in named if name in wishes.folders}
    if not found and ("folder" in finding.facts or contents.text(file_of(finding)) is not None):
        found = {folder_of(finding)}
    return sorted(found)


def _written(folder: str, contents: Contents, executor: str) -> ProposedFile:
    """The one file of the folder that makes its definitions. Raises ``Unclear``."""
    texts = {path: contents.text(path) for path in contents.python_files(folder)}
    holding = {path: count for path, text in texts.items() if text and (count := count_of_definitions(text))}
    if len(holding) != 1:
        raise Unclear(f"{'no file has' if not holding else f'{len(holding)} files have'} a call of `Definitions`")
    (path,) = holding
    before = texts[path] or ""
    try:
        return ProposedFile(path, with_executor(before, executor), before)
    except Unclear as unclear:
        raise Unclear(f"{path} is unclear: {unclear.why}") from None
