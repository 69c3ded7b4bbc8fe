"""Updates of a stack: one call a command, events to a listener, the outcome as a value or an error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hybrid.engine import backend, events, history, policies, program
from hybrid.engine.lock import UpdateLock, dead_engine_locks, half_written_notes
from hybrid.errors import EngineError, StackBusyError, StoppedError
from hybrid.redaction import redact
from hybrid.toolchain import Pulumi
from hybrid.workspace import Workspace

Command = Literal["up", "preview", "refresh", "destroy", "look", "compare"]
"""``look``: what a refresh would take into the state, taken nowhere. ``compare``: what the program would change of what
the state says, without a look at what stands. Neither writes anything, takes a lock or makes a stack."""
Listener = Callable[[events.Event], None]

_TYPED: dict[Command, str] = {
    "up": "up",
    "preview": "preview",
    "refresh": "refresh",
    "destroy": "down",
    "look": "drift --stack",
    "compare": "drift --stack",
}
_PULUMI_S: dict[Command, tuple[str, ...]] = {
    "look": ("refresh", "--preview-only"),
    "compare": ("preview", "--refresh=false"),
}
_READS: frozenset[Command] = frozenset({"look", "compare"})
_WRITES: frozenset[Command] = frozenset({"up", "refresh", "destroy"})
_NO_CHANGE = frozenset({"same", "read", "refresh"})
_LATE_TO_END = "exited prematurely"
_REPEATING = ("resource registration failed", "an unhandled error occurred")  # the engine tells an error again
_RUNS_PROGRAM: frozenset[Command] = frozenset({"up", "preview", "compare"})


@dataclass
class Outcome:
    """How an update ended."""

    steps: list[events.StepEnded] = field(default_factory=list)
    """What was done (in a preview: would be done), in order, reading aside."""
    errors: list[events.Message] = field(default_factory=list)
    restarts: events.AgentRestarts = field(default_factory=events.AgentRestarts)
    """What starts the agent anew, and so redeploys every code location."""
    policies: list[events.PolicyFinding] = field(default_factory=list)
    """What the policy packs found, in order; empty, too, when none was asked for."""

    @property
    def refused(self) -> list[events.PolicyFinding]:
        """The findings that an update with these packs would not get past."""
        return [finding for finding in self.policies if finding.level == "mandatory"]

    @property
    def changes(self) -> dict[str, int]:
        """How many resources by operation: ``{"create": 6}``; empty when nothing had to change."""
        return dict(Counter(step.operation for step in self.steps if not step.failed))

    def forgive_late_plugins(self) -> bool:
        """Take out the errors about plugins that did not answer within 5 s when they were told to end, as on a machine
        that is overloaded. The engine tells them from a crash by nothing else (``Plugin.Close`` of Pulumi's
        sdk/go/common/resource/plugin/plugin.go), and after all of the update is done. Whether there were any."""
        others = [error for error in self.errors if _LATE_TO_END not in error.text]
        found = len(others) < len(self.errors)
        self.errors[:] = others
        return found

    def take(self, event: events.Event) -> None:
        self.restarts.take(event)
        match event:
            case events.StepEnded(operation=operation) if operation not in _NO_CHANGE and (
                operation != "clear" or event.failed
            ):
                self.steps.append(event)
            case events.Message(severity="error", ephemeral=False):
                self.errors.append(event)
            case events.PolicyFinding() if event not in self.policies:
                self.policies.append(event)
            case _:
                pass


class Engine:
    """One stack's engine. ``given`` is the person's environment; ``report`` takes one-line notices."""

    def __init__(
        self,
        workspace: Workspace,
        stack: str,
        pulumi: Pulumi,
        given: Mapping[str, str],
        report: Callable[[str], None],
    ) -> None:
        self._workspace = workspace
        self._stack = stack
        self._pulumi = pulumi
        self._given = given
        self._report = report
        # the event log is among the CLI's debugging flags (pkg/cmd/pulumi/operations/up.go)
        self._environment = {**backend.environment(workspace, stack, pulumi, given), "PULUMI_DEBUG_COMMANDS": "true"}
        self._interrupts = 0

    def run(
        self, command: Command, listener: Listener, targets: Sequence[str] = (), policy_packs: Sequence[Path] = ()
    ) -> Outcome:
        """Run ``command`` to its end; with ``targets`` (names of resources) the others stay as they are.

        ``policy_packs``: folders with a PulumiPolicy.yaml that every resource is held against, in what runs the
        program. A preview that breaks a mandatory rule has an outcome like any other, with ``refused``; an update
        raises ``PolicyRefusedError``, and rules about single resources stop it before that resource is touched.

        Raises ``StackBusyError`` when somebody else updates the stack, ``EngineError`` when the engine ended with
        errors. What only reads takes no lock of ours: it changes nothing.
        """
        writes = command in _WRITES
        self._prepare()
        lock = UpdateLock(self._workspace.of_stack(self._stack).root, self._stack)
        with lock if writes else nullcontext():
            if writes:
                lock.end_orphan(self._report)
                self._clear_dead_locks()
            if command not in _READS:
                self._ensure_stack()
            packs = policy_packs if command in _RUNS_PROGRAM else ()
            outcome, code, words = self._update(command, listener, lock if writes else None, targets, packs)
            if outcome.refused and not writes and not self._interrupts and not _own_words(outcome.errors):
                outcome.errors.clear()  # the engine ends with "preview failed", and has looked at everything
                return outcome
            if code == 0 and outcome.forgive_late_plugins():  # one that crashed at work makes the engine fail
                self._report("A plugin did not answer as it was told to end; all that it had to do was done.")
            if code != 0 or outcome.errors:
                raise self._error(command, outcome, code, words)
            if command == "destroy":
                self._sweep()
        return outcome

    def prepare(self) -> None:
        """Make what must be there before any command: the state, the passphrase, the stack in the backend."""
        self._prepare()
        self._ensure_stack()

    def _prepare(self) -> None:
        backend.prepare(self._workspace, self._stack, self._given)
        self._clear_half_written_notes()

    def _sweep(self) -> None:
        from hybrid.provider.sweep import sweep

        for name in sweep(self._workspace.of_stack(self._stack).processes):
            self._report(f"An earlier update was killed and had left the process {name}; it is ended.")

    def outputs_of(self, name: str) -> dict[str, Any]:
        """What the state says of the resource ``name``; secrets are ciphertext. Empty: there is none."""
        return self.all_outputs_of([name]).get(name, {})

    def all_outputs_of(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """The same of several resources, by name; those that there are."""
        self.prepare()
        found: dict[str, dict[str, Any]] = {}
        for each in self._resources():
            name = each["urn"].rpartition("::")[2]
            if name in names and not each.get("delete"):
                found.setdefault(name, dict(each.get("outputs") or {}))
        return found

    def stands(self) -> bool:
        """Whether the state says that anything of the stack stands. Makes nothing; a stack that the backend does not
        know does not stand. Raises ``EngineError`` when the backend does not give the state."""
        self._prepare()
        file = backend.state_file(self._workspace, self._stack, self._given)
        if file is not None and not file.exists():
            return False
        return any(each.get("custom") for each in self._resources())

    def check(self) -> None:
        """Raises ``EngineError`` when the backend does not give the state, or the key of the stack's secrets is not to
        be had; ``SettingsError`` as ``prepare``. The stack is made by nobody here.

        Pulumi opens the key when a secret is set, which happens in a copy of the stack file.
        """
        self._prepare()
        self._resources()
        file = self._workspace.stack_file(self._stack)
        with tempfile.TemporaryDirectory(prefix="hybrid-") as folder:
            copy = Path(folder) / file.name
            copy.write_bytes(file.read_bytes())
            answer = self._call("config", "set", "--secret", "probe:key", "probe", "--stack", self._stack,
                                "--config-file", str(copy))  # fmt: skip
        words = redact((answer.stderr or answer.stdout).strip())
        if answer.returncode != 0 and "no stack named" not in words:
            raise EngineError(
                f"The secrets of the stack '{self._stack}' cannot be opened.",
                why=words,
                next_step="set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE, to the stack's own; or log "
                "in to where its `secretsprovider` is.",
            )

    def updates(self) -> list[history.Update]:
        """What was done to the stack before, the newest first. Empty, too, when the backend does not tell."""
        answer = self._call("stack", "history", "--stack", self._stack, "--json", f"--page-size={history.PAGE}")
        return history.updates_in(answer.stdout) if answer.returncode == 0 else []

    def _resources(self) -> list[dict[str, Any]]:
        answer = self._call("stack", "export", "--stack", self._stack)
        if answer.returncode == 0:
            return list(json.loads(answer.stdout).get("deployment", {}).get("resources") or ())
        words = redact((answer.stderr or answer.stdout).strip())
        if "no stack named" in words:
            return []
        raise EngineError(
            f"Pulumi could not read the state of the stack '{self._stack}'.",
            why=words,
            next_step="check PULUMI_BACKEND_URL, and PULUMI_CONFIG_PASSPHRASE if the stack has one.",
        )

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._pulumi.executable), *arguments, "--non-interactive"],
            cwd=self._workspace.root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _update(
        self,
        command: Command,
        listener: Listener,
        lock: UpdateLock | None,
        targets: Sequence[str],
        packs: Sequence[Path],
    ) -> tuple[Outcome, int, str]:
        outcome = Outcome()
        with (
            tempfile.TemporaryDirectory(prefix="hybrid-") as folder,
            program.served(self._platform_loaded) if command in _RUNS_PROGRAM else nullcontext() as client,
        ):
            log = Path(folder) / "events"
            process = self._start(self._arguments(command, log, client, targets, packs), Path(folder) / "output")
            if lock is not None:
                lock.record_child(process.pid)
            with self._interruptible(process):
                for event in events.follow(log, ended=lambda: process.poll() is not None):
                    outcome.take(event)
                    listener(event)
            words = (Path(folder) / "output").read_text(encoding="utf-8", errors="replace")
        return outcome, process.returncode, redact(words)

    def _platform_loaded(self) -> None:
        """The SDK of the stack's platform, which is most of what the program imports."""
        from hybrid.engine.stack import identity
        from stacks.platforms import load

        load(identity(self._workspace, self._stack).settings.agent.kind)

    def _arguments(
        self, command: Command, log: Path, client: str | None, targets: Sequence[str], packs: Sequence[Path]
    ) -> list[str]:
        arguments = [
            str(self._pulumi.executable),
            *_PULUMI_S.get(command, (command,)),
            "--stack",
            self._stack,
            "--non-interactive",
        ]
        arguments += ["--color", "never", "--event-log", str(log)]
        arguments += [f"--target=**::{name}" for name in targets]
        arguments += [f"--policy-pack={policies.startable(pack)}" for pack in packs]
        if command in _WRITES:
            arguments += ["--yes", "--skip-preview"]
        if command == "destroy":
            # what is to be deleted need not be looked at first, and an embedded Dagster+ may be down already
            arguments += ["--refresh=false"]
        if client is not None:
            arguments += [f"--client={client}", "--exec-kind", "auto.inline"]
        return arguments

    def _start(self, arguments: list[str], output: Path) -> subprocess.Popen[bytes]:
        with output.open("wb") as file:
            return subprocess.Popen(
                arguments,
                cwd=self._workspace.root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches it through us, once, so that it can end tidily
            )

    @contextmanager
    def _interruptible(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Ctrl-C asks the engine to end; a second one ends it at once."""

        def interrupt(number: int, _frame: object) -> None:
            self._interrupts += 1
            if self._interrupts == 1:
                self._report("Stopping: what is begun is brought to an end. Press Ctrl-C again to stop at once.")
                process.send_signal(signal.SIGINT)
            else:
                os.killpg(process.pid, signal.SIGKILL)

        previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _clear_half_written_notes(self) -> None:
        """For what only reads, too: nobody could look at the stack. What another engine is just writing comes anew with
        its next write, and nothing needs it."""
        if "PULUMI_BACKEND_URL" not in self._given:
            for file in half_written_notes(self._workspace.state):
                file.unlink(missing_ok=True)

    def _clear_dead_locks(self) -> None:
        if "PULUMI_BACKEND_URL" in self._given:
            return  # its locks are for its owner to judge
        for file in dead_engine_locks(backend.locks_folder(self._workspace, self._stack)):
            self._report("An earlier update was killed; its lock is cleared.")
            file.unlink(missing_ok=True)

    def _ensure_stack(self) -> None:
        file = backend.state_file(self._workspace, self._stack, self._given)
        if file is not None and file.exists():
            return
        answer = self._call("stack", "select", self._stack, "--create")
        if answer.returncode != 0:
            raise EngineError(
                f"Pulumi could not make the stack '{self._stack}'.",
                why=redact((answer.stderr or answer.stdout).strip()),
                next_step="check PULUMI_BACKEND_URL, and PULUMI_CONFIG_PASSPHRASE if the stack has one.",
            )

    def _error(self, command: Command, outcome: Outcome, code: int, words: str) -> EngineError:
        if self._interrupts:
            return StoppedError(
                f"`{_TYPED[command].split()[0]}` was stopped.",
                next_step=f"`hybrid {_TYPED[command]} {self._stack}` goes on from here.",
            )
        if "the stack is currently locked" in words:
            return StackBusyError(
                "Pulumi says that another update of this stack is running.",
                why=words.strip(),
                next_step="wait for it to end; if you know that it is gone, `pulumi cancel` frees the stack.",
            )
        if outcome.refused and not _own_words(outcome.errors):
            return policies.refused(outcome.refused, f"hybrid {_TYPED[command]} {self._stack} --policies")
        if (error := policies.not_started(words)) is not None:
            return error
        texts = _own_words(outcome.errors) or [words.strip()[-4000:] or f"Pulumi ended with code {code}."]
        said = any("Next: " in text for text in texts)  # errors of ours bring their own next step
        again = f"mend that and run `hybrid {_TYPED[command]} {self._stack}` again; it goes on from what stands."
        return EngineError(
            f"`{_TYPED[command].split()[0]}` of the stack '{self._stack}' failed.",
            why="\n".join(texts),
            next_step=None if said else again,
        )


def _own_words(errors: list[events.Message]) -> list[str]:
    """The errors that say something; the engine adds "update failed" to each failure of a resource."""
    said = []
    for error in errors:
        text = error.text.removeprefix("error: ")
        if text in {"update failed", "preview failed"} or text.startswith(_REPEATING):
            continue
        said.append(f"{error.resource}: {text}" if error.resource and error.resource.kind != "Stack" else text)
    return list(dict.fromkeys(said))
