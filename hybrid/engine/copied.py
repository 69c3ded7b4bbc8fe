"""A preview of a stack on a copy of its state: nothing of it can reach the team's backend, the stack's file or its
lock, whatever the program does to its own engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hybrid.engine import backend
from hybrid.engine.engine import Engine, Listener, Outcome
from hybrid.engine.state_copy import StateCopy, secret_config, state_copy
from hybrid.errors import EngineError, SettingsError
from hybrid.redaction import redact
from hybrid.toolchain import Pulumi
from hybrid.workspace import Workspace

_NOT_THERE: Final = ("no stack named", "not found")


class CopiedStack:
    """One stack, to be previewed on a copy. Use it in a ``with``: ``CopiedStack.of(...)``."""

    def __init__(self, workspace: Workspace, pulumi: Pulumi, environment: Mapping[str, str], copy: StateCopy) -> None:
        self.copy = copy
        self._workspace = workspace
        self._pulumi = pulumi
        self._environment = environment

    @classmethod
    @contextmanager
    def of(
        cls,
        workspace: Workspace,
        stack: str,
        pulumi: Pulumi,
        given: Mapping[str, str],
        *,
        base_file: str | None = None,
        withheld: bool = False,
    ) -> Iterator[CopiedStack]:
        """``base_file`` is the stack file's text at the base of what is reviewed. ``withheld``: without the values of
        secrets, which then need no key.

        Raises ``EngineError`` when the backend does not give the state, ``SettingsError`` for a stack without a file.
        """
        file = _text(workspace.stack_file(stack))
        exported = exported_state(workspace, stack, pulumi, given)
        with state_copy(stack, exported, file, base_file, withheld=withheld) as copy:
            environment = {**given, **copy.variables}
            if withheld:
                environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
                _put_secrets(workspace, pulumi, environment, copy, secret_config(file, base_file))
            yield cls(workspace, pulumi, environment, copy)

    def preview(self, listener: Listener, report: Callable[[str], None], **options: Any) -> Outcome:
        """What `up` would do. With values withheld what stands is not looked at: that would show them. ``options`` are
        those of ``Engine.run``, such as ``policy_packs``.

        Raises ``EngineError`` with the engine's own errors.
        """
        engine = _EngineOnACopy(
            self._workspace, self.copy.stack, self._pulumi, self._environment, report, copy=self.copy
        )
        return engine.run("preview", listener, **options)


class _EngineOnACopy(Engine):
    def __init__(self, *arguments: Any, copy: StateCopy) -> None:
        super().__init__(*arguments)
        self._copy = copy

    def _prepare(self) -> None:
        """Nothing: the copy has all, and nothing may be made in the checkout."""

    _ensure_stack = _prepare

    def _arguments(self, *arguments: Any) -> list[str]:
        further = ["--config-file", str(self._copy.config_file)]
        return [*super()._arguments(*arguments), *further, *(["--refresh=false"] if self._copy.withheld else [])]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"stacks/{file.name} cannot be read.", why=str(error), next_step="look at what it is."
        ) from None


def exported_state(workspace: Workspace, stack: str, pulumi: Pulumi, given: Mapping[str, str]) -> dict[str, Any] | None:
    """The state as the backend has it, secrets as ciphertext; None: there is no such stack.

    Raises ``EngineError`` when the backend does not give it.
    """
    file = backend.state_file(workspace, stack, given)
    if file is not None and not file.exists():
        return None
    answer = _call(
        workspace, pulumi, backend.environment(workspace, stack, pulumi, given), "stack", "export", "--stack", stack
    )
    if answer.returncode == 0:
        try:
            return dict(json.loads(answer.stdout))
        except (ValueError, TypeError):
            pass
    words = redact((answer.stderr or answer.stdout).strip())
    if any(each in words.lower() for each in _NOT_THERE):
        return None
    raise EngineError(
        f"Pulumi could not read the state of the stack '{stack}'.",
        why=words[-4000:],
        next_step="check PULUMI_BACKEND_URL, and whether these credentials may read it.",
    )


def _put_secrets(
    workspace: Workspace, pulumi: Pulumi, given: Mapping[str, str], copy: StateCopy, values: Mapping[str, str]
) -> None:
    if not values:
        return
    pairs = [word for key, value in values.items() for word in ("--secret", f"{key}={value}")]
    environment = backend.environment(workspace, copy.stack, pulumi, given)
    file = ("--stack", copy.stack, "--config-file", str(copy.config_file))
    answer = _call(workspace, pulumi, environment, "config", "set-all", *pairs, *file)
    if answer.returncode != 0:
        raise EngineError(
            f"The settings of the stack '{copy.stack}' could not be copied.",
            why=redact((answer.stderr or answer.stdout).strip())[-4000:],
            next_step="`hybrid preview` shows more, for somebody who may decrypt them.",
        )


def _call(
    workspace: Workspace, pulumi: Pulumi, environment: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(pulumi.executable), *arguments, "--non-interactive"],
        cwd=workspace.root,
        env={**environment, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
