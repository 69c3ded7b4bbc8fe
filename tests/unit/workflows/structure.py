"""What must hold of every workflow of GitHub that is written, whatever the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def parsed(text: str) -> dict[str, Any]:
    """``on`` is a word of YAML 1.1 for true."""
    document = yaml.safe_load(text)
    return {("on" if key is True else key): value for key, value in document.items()}


def faults(text: str) -> list[str]:
    """What is wrong; empty when nothing is."""
    document = parsed(text)
    found = []
    if document.get("permissions") != {}:
        found.append("the workflow itself has permissions")
    if "pull_request_target" in document["on"]:
        found.append("it runs on pull_request_target")
    if "workflow_run" in document["on"]:
        found.append("it runs on workflow_run")
    for name, job in document["jobs"].items():
        found += [f"{name}: {fault}" for fault in _of_job(document, job)]
    return found


def _of_job(document: dict[str, Any], job: dict[str, Any]) -> Iterator[str]:
    if not isinstance(job.get("permissions"), dict):
        yield "it says no permissions"
    if not isinstance(job.get("timeout-minutes"), int):
        yield "it has no timeout"
    if "concurrency" not in document and "concurrency" not in job:
        yield "several may run at once"
    if "secrets." in str(job) and "environment" not in job:
        yield "it has secrets and no environment"
    if "id-token" in job["permissions"] and "environment" not in job:
        yield "it has a token for clouds and no environment"
    for step in job["steps"]:
        yield from _of_step(step)


def _of_step(step: dict[str, Any]) -> Iterator[str]:
    if "uses" in step:
        if not PINNED.fullmatch(step["uses"]):
            yield f"{step['uses']} is not pinned"
        if step["uses"].startswith("actions/checkout@") and step["with"].get("persist-credentials") is not False:
            yield "the checkout keeps a token"
    for expression in EXPRESSION.findall(step.get("run", "")):
        yield f"a script has the expression {expression.strip()} in it"


def runs_code_of_the_pull_request(job: dict[str, Any]) -> bool:
    """Whether it checks out what the pull request brings: anything but its base, or a branch by name."""
    checkouts = [step.get("with", {}).get("ref") for step in job["steps"] if "checkout@" in step.get("uses", "")]
    return any(ref is None or "pull_request.head" in ref for ref in checkouts)
