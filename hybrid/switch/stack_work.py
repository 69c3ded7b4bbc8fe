"""What a switch does for real: the deployment by Dagster+'s API, the stack by the engine and its file."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.delivery.stack_file import StackFile
from hybrid.delivery.told import VARIABLE
from hybrid.engine.stack import Stack, identity
from hybrid.errors import NotReadyError, StoppedError
from hybrid.pipeline.rollback import READY
from hybrid.pipeline.smoke import SmokeJob, smoke_run
from hybrid.redaction import Token
from hybrid.switch import kept, taken_variables
from hybrid.switch.drain import Drain, Runs
from hybrid.switch.early_telling import EarlyTelling
from hybrid.switch.paused import PausedFile, WasOn
from hybrid.switch.smokes import SmokeGiven
from hybrid.switch.standby import can_load
from hybrid.switch.work import (
    MARKER,
    AgentType,
    Document,
    Marker,
    OwnQueue,
    SmokeDone,
    SwitchRights,
    TakenVariable,
    ValuesDone,
    Wanted,
)

if TYPE_CHECKING:
    from hybrid.engine.engine import Engine, Listener
    from hybrid.plus import Agent, CodeLocationStatus, PlusClient
    from hybrid.toolchain import Pulumi
    from hybrid.workspace import Workspace
    from stacks.identity import StackIdentity

_PHASE = ("hybrid:phase",)
_QUEUE = "hybrid:ownQueue"


@dataclass
class StackSwitchWork:
    """See ``SwitchWork``. ``client`` outlasts a Dagster+ that goes away for a while, ``beside`` makes one for another
    deployment; ``gates``, ``copies`` and
    ``verifies`` are the commands' own ways to check locations and to copy values; ``progress`` shows an update."""

    workspace: Workspace
    who: StackIdentity
    client: PlusClient
    beside: Callable[[str], AbstractContextManager[PlusClient]]
    pulumi: Callable[[], Pulumi]
    note: Callable[[str], None]
    progress: Callable[[], AbstractContextManager[Listener]]
    gates: Callable[[], None]
    copies: Callable[[], ValuesDone]
    verifies: Callable[[], ValuesDone]
    smokes: Sequence[SmokeGiven] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def stack(self) -> str:
        return self.who.stack

    @property
    def organization(self) -> str:
        return self.who.endpoint.organization

    @property
    def deployment(self) -> str:
        return self.who.endpoint.deployment

    @property
    def agent_label(self) -> str:
        return self.who.agent_label

    @property
    def page(self) -> str:
        return self.who.page

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    # Looks

    def agent_type(self) -> str:
        return self.client.current_deployment().agent_type

    def others_on_serverless(self) -> Sequence[str]:
        mine = self.deployment
        return [
            each.name for each in self.client.deployments() if each.agent_type == "SERVERLESS" and each.name != mine
        ]

    def agents(self) -> Sequence[Agent]:
        return self.client.agents()

    def serverless_status(self) -> str:
        return self.client.serverless().status

    def locations(self) -> Mapping[str, CodeLocationStatus]:
        return {status.name: status for status in self.client.code_locations()}

    def documents(self) -> Mapping[str, Document]:
        return self.client.location_documents()

    def instigators_on(self) -> Sequence[str]:
        return sorted(WasOn.of(one).label for one in self.client.automations().instigations if one.is_on)

    def variable_names(self) -> Sequence[str] | None:
        from hybrid.plus import PlusForbidden

        try:
            found = self.client.environment_variables()
        except PlusForbidden:
            return None
        return sorted({each.name for each in found} - {MARKER})

    def taken_variables(self) -> Sequence[TakenVariable]:
        return taken_variables.taken(self.client, self.who.settings.environment_variables)

    def variables_without_value(self) -> Sequence[tuple[str, str]]:
        declared = self.who.settings.environment_variables
        return list(taken_variables.without_value(declared, self.environ, self._file()))

    def check_engine(self) -> None:
        self._engine.check()

    def rights(self) -> SwitchRights:
        found = self.client.rights()
        # seeing agent tokens takes the role that may switch, Organization Admin
        may_switch = found.can_list_agent_tokens if found.organization is not None else None
        return SwitchRights(found.can_edit_locations, found.can_launch_runs, may_switch)

    def fingerprint(self) -> str:
        from hybrid.switch.organization_reader import read_organization

        state = read_organization(self.client)
        others = None if state.variables is None else [each for each in state.variables if each.name != MARKER]
        return replace(state, variables=others).fingerprint()

    def wanted(self) -> Sequence[Wanted]:
        """Of what the stack serves: the image that its last `up` has told and seen loaded, or else that it told."""
        folders = Stack.read(self.workspace, self.stack).folders
        images = self._images()
        return [Wanted(folder.name, images.get(folder.name), folder.agent_queue) for folder in folders]

    def _images(self) -> Mapping[str, str]:
        if not self.who.settings.agent.needs_images or self.phase() in {"prepare", "standby"}:
            return {}
        outputs = self._engine.outputs_of(READY)
        loaded = outputs.get("loaded")
        return dict(loaded) if isinstance(loaded, Mapping) else {}

    def loads(self, document: Document) -> bool:
        return can_load(document, needs_images=self.who.settings.agent.needs_images)

    def ping(self, location: str) -> None:
        self.client.ping_location(location)

    # Effects

    def set_agent_type(self, wanted: AgentType) -> None:
        self.client.set_agent_type(wanted)

    def put_document(self, document: Document) -> None:
        self.client.put_location(document)

    def delete_location(self, name: str) -> None:
        self.client.delete_location(name)

    def marker(self) -> Marker | None:
        from hybrid.plus import PlusForbidden

        try:
            found = self.client.environment_variables()
        except PlusForbidden:
            return None
        return next((Marker(each.id) for each in found if each.name == MARKER), None)

    def marked_elsewhere(self) -> Sequence[str]:
        from hybrid.plus import PlusForbidden, PlusNotFound

        found = []
        for name in sorted({each.name for each in self.client.deployments()} - {self.deployment}):
            try:
                with self.beside(name) as client:
                    if any(each.name == MARKER for each in client.environment_variables()):
                        found.append(name)
            except (PlusForbidden, PlusNotFound):
                continue
        return found

    def make_marker(self, text: str) -> Marker:
        from hybrid.plus import Scopes

        made = self.client.create_environment_variable(MARKER, Token(text), Scopes(local=True))
        return Marker(made.id)

    def remove_marker(self, id: str) -> None:
        self.client.delete_environment_variable(id)

    def phase(self) -> str | None:
        found = self._file().setting(*_PHASE)
        return None if found is None else str(found)

    def set_phase(self, phase: str | None) -> None:
        file = self._file()
        changed = file.remove(_PHASE) if phase is None else file.set(_PHASE, phase)
        if changed:
            self.note(f"{file.shown}: hybrid:phase is {phase or 'left out'}")

    def own_queue(self) -> OwnQueue | None:
        file = self._file()
        name = file.setting(_QUEUE, "name")
        return None if name is None else OwnQueue(str(name), tuple(file.setting(_QUEUE, "locations") or ()))

    def set_own_queue(self, name: str | None, locations: Sequence[str] = ()) -> None:
        file = self._file()
        if name is None:
            changed = file.remove((_QUEUE,))
        else:
            changed = file.set((_QUEUE, "name"), name)
            changed |= file.set((_QUEUE, "locations"), list(locations))
        if changed:
            told = "left out" if name is None else f"{name}, of {', '.join(locations) or 'no location yet'}"
            self.note(f"{file.shown}: {_QUEUE} is {told}")

    def foresee(self) -> None:
        _ = self._early.foreseen

    def tell_locations(self) -> Sequence[str]:
        return self._early.tell()

    def up(self, limit: float | None = None) -> None:
        try:
            self._up(limit)
        finally:
            self._told_file.unlink(missing_ok=True)

    def _up(self, limit: float | None) -> None:
        with self.progress() as listener, _limited(limit) as late:
            try:
                self._engine.run("up", listener)
            except StoppedError as stopped:
                if late():
                    raise NotReadyError(
                        f"`up` was stopped after {limit:.0f} s: it is to be back on Serverless by then.",
                        why=stopped.why,
                    ) from None
                raise

    def gate(self) -> None:
        self.gates()

    def copy_values(self) -> ValuesDone:
        return self.copies()

    def verify_values(self) -> ValuesDone:
        return self.verifies()

    def values_stored_since(self, moment: float) -> Sequence[str] | None:
        from hybrid.plus import PlusError

        try:
            keys = [asset.key for asset in self.client.known_assets()]
            found = self.client.materializations_of(keys, 1) if keys else {}
        except PlusError:
            return None
        return sorted(
            "/".join(key) for key, events in found.items() if any(each.timestamp > moment * 1000 for each in events)
        )

    def pause(self) -> Sequence[str]:
        from hybrid.switch.pause import pause

        done = pause(self.client, self._paused(), tell=self.note)
        return [each.label for each in done.record.was_on]

    def drain(self, runs: str, timeout: float, but_of: str | None = None) -> str:
        poll = 0.3 if self.who.endpoint.is_loopback else 5.0
        drain = Drain(self.client, Runs(runs), timeout=timeout, poll=poll, but_of=but_of, tell=self.note)
        return drain.wait().words()

    def resume(self) -> Sequence[str]:
        from hybrid.switch.resume import resume

        done = resume(self.client, self._paused(), tell=self.note)
        return [each.label for each in (*done.resumed, *done.on_already)]

    def smoke(self) -> Sequence[SmokeDone]:
        return [self._smoke(each) for each in self.smokes]

    def _smoke(self, one: SmokeGiven) -> SmokeDone:
        job = SmokeJob(one.location, one.job, one.timeout_seconds, self.page, "switch")
        result = smoke_run(self.client, job, self.note)
        return SmokeDone(one.location, one.job, result.status, result.url, result.error)

    def keep_documents(self, documents: Mapping[str, Document]) -> str:
        return kept.keep(self._documents, documents)

    def kept_documents(self, digest: str) -> Mapping[str, Document]:
        return kept.kept(self._documents, digest)

    def keep_variables(self) -> str:
        found = taken_variables.found(self.client, self.who.settings.environment_variables)
        return kept.keep(self._variables, taken_variables.documents(found))

    def release_variables(self, digest: str) -> None:
        for name in taken_variables.release(self.client, kept.kept(self._variables, digest)):
            self.note(f"{name} makes place for the stack's")

    def restore_variables(self, digest: str) -> Sequence[str]:
        return taken_variables.restore(self.client, kept.kept(self._variables, digest))

    @property
    def _variables(self) -> Path:
        return self.who.folder.root / "serverless-variables.json"

    @property
    def _documents(self) -> Path:
        return self.who.folder.root / "serverless-documents.json"

    def _paused(self) -> PausedFile:
        return PausedFile(self.who.folder.paused, self.who.endpoint)

    def _file(self) -> StackFile:
        return StackFile(self.workspace.stack_file(self.stack))

    @cached_property
    def _engine(self) -> Engine:
        from hybrid.engine.engine import Engine

        given = {**self.environ, VARIABLE: str(self._told_file)}
        return Engine(self.workspace, self.stack, self.pulumi(), given, self.note)

    @property
    def _told_file(self) -> Path:
        return self.who.folder.root / "told-locations.json"

    @cached_property
    def _early(self) -> EarlyTelling:
        return EarlyTelling(self.workspace, self.stack, self.client, self._engine, self._told_file)


def journal_of(who: StackIdentity) -> Path:
    """Where the journal of a stack's switch is."""
    return who.folder.root / "switch.jsonl"


def known_stack(workspace: Workspace, stack: str) -> StackIdentity:
    """Raises ``SettingsError`` for a wrong stack file, and for a stack of the embedded Dagster+."""
    from hybrid.errors import UsageError

    who = identity(workspace, stack)
    if who.settings.embedded:
        raise UsageError(
            f"The stack '{stack}' names no organization: its Dagster+ is the embedded one, which it makes itself.",
            next_step="name `hybrid:organization`; docs/serverless.md has one to rehearse on.",
        )
    return who


@contextmanager
def _limited(limit: float | None) -> Iterator[Callable[[], bool]]:
    """After ``limit`` seconds Ctrl-C is pressed for the person: the engine ends tidily by it. Whether it was."""
    if limit is None:
        yield lambda: False
        return
    fired = threading.Event()

    def press() -> None:
        fired.set()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(limit, press)
    timer.daemon = True
    timer.start()
    try:
        yield fired.is_set
    finally:
        timer.cancel()
