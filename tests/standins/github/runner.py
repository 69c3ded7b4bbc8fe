"""STAND-IN for GitHub's runners: carries out the steps of a workflow's job that are commands, with the variables and
permissions that the workflow gives them, in a checkout on this machine. What a job ``uses`` is not carried out, but for
the checkout of a commit; nor are steps that set up the machine (``make …``)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.standins.github.api import FakeGitHub

_EXPRESSION = re.compile(r"\$\{\{\s*([^}]+?)\s*\}\}")


@dataclass
class Job:
    """How a job ended: the first code that is not 0, and all that its commands printed."""

    code: int = 0
    said: str = ""
    commands: list[str] = field(default_factory=list)


@dataclass
class Runner:
    """``values`` are what expressions stand for, such as ``secrets.TOKEN``; one that is not there is empty. ``shell``
    is the environment of every command."""

    github: FakeGitHub
    root: Path
    temporary: Path
    shell: Mapping[str, str]
    values: dict[str, str] = field(default_factory=dict)

    def run(self, workflow: str, job: str, event: str, payload: Mapping[str, Any], ref: str, sha: str) -> Job:
        """One job of a workflow's text, for an event."""
        document = yaml.safe_load(workflow)
        described = document["jobs"][job]
        self.github.permissions = dict(described["permissions"])
        file = self.temporary / "event.json"
        file.write_text(json.dumps(payload), encoding="utf-8")
        summary = self.temporary / "summary.md"
        summary.touch()
        known = {**self.values, **_flat("github.event", payload), "github.token": self.github.token}
        given = {
            **self.shell,
            **{name: value for name, value in self.github.environ.items() if name != "GITHUB_TOKEN"},
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_REF": ref,
            "GITHUB_SHA": sha,
            "GITHUB_RUN_ID": "77",
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_OUTPUT": str(self.temporary / "output"),
            "RUNNER_TEMP": str(self.temporary),
        }
        done = Job()
        for step in described["steps"]:
            if str(step.get("uses", "")).startswith("actions/checkout@"):
                self._check_out(_filled(str(step["with"].get("ref", "")), known) or sha)
            elif "run" in step and not step["run"].startswith("make "):
                self._step(step, given, known, done)
        return done

    def _check_out(self, ref: str) -> None:
        if re.fullmatch(r"[0-9a-f]{40}", ref):
            command = ["git", "checkout", "-q", "--detach", ref]
        else:
            command = ["git", "checkout", "-q", "-B", ref, f"origin/{ref}"]
        subprocess.run(command, cwd=self.root, check=True)

    def _step(self, step: Mapping[str, Any], given: Mapping[str, str], known: Mapping[str, str], done: Job) -> None:
        if done.code and "cancelled()" not in str(step.get("if", "")):
            return
        variables = {name: _filled(str(value), known) for name, value in (step.get("env") or {}).items()}
        bash = shutil.which("bash")
        assert bash is not None, "workflows are written for bash"
        assert "${{" not in step["run"], "an expression in a command would be run as the pull request says"
        ended = subprocess.run(
            [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.root,
            env={**given, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        done.said += ended.stdout
        done.commands.append(step["run"])
        done.code = done.code or ended.returncode

    @property
    def plain_environment(self) -> dict[str, str]:
        """This process's, without what belongs to a CI that the tests themselves run in."""
        return {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GITHUB_", "GITLAB_", "CI", "PULUMI_", "DAGSTER_", "AWS_"))
        }


def _filled(text: str, known: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: known.get(found[1], ""), text)


def _flat(prefix: str, value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {key: text for name, item in value.items() for key, text in _flat(f"{prefix}.{name}", item).items()}
    return {prefix: str(value)}
