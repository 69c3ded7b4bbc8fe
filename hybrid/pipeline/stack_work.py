"""What a deploy does with a stack, for real: the review on a copy of the state, `up` by the engine, the rollback of
what does not load, the smoke run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hybrid.engine import backend
from hybrid.engine.engine import Engine, Listener, Outcome
from hybrid.engine.stack import Stack, identity
from hybrid.errors import EngineError, HybridError, StackBusyError, StoppedError
from hybrid.pipeline.deployment import Brought
from hybrid.pipeline.rollback import READY, Rollback, Watched, pinned
from hybrid.pipeline.smoke import SmokeJob, SmokeResult, smoke_run

if TYPE_CHECKING:
    from hybrid.engine.history import Update
    from hybrid.engine.pipeline import SmokeRun
    from hybrid.plus import CodeLocationStatus, PlusClient
    from hybrid.review.document import StackReview
    from hybrid.toolchain import Pulumi
    from hybrid.workspace import Workspace
    from stacks.identity import StackIdentity

Progress = Callable[[bool], AbstractContextManager[Listener]]
"""Shows an update while it lasts; True: it is a preview."""


@dataclass
class StackWork:
    """``note`` takes one-line notices. ``connect`` gives the stack's Dagster+; True: one that outlasts an absence."""

    workspace: Workspace
    pulumi: Pulumi
    environ: Mapping[str, str]
    branch: str
    commit: str
    note: Callable[[str], None]
    progress: Progress
    connect: Callable[[StackIdentity, bool], PlusClient]
    check: Callable[[str], None]
    ask: Callable[[str, Sequence[str]], None]
    with_rollback: bool = True
    with_policies: bool = True
    _loaded: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def beforehand(self, stack: str) -> None:
        backend.prepare(self.workspace, stack, self.environ)  # a personal stack's passphrase, which a preview needs too
        self.check(stack)

    def review(self, stack: str) -> StackReview:
        from hybrid.review.stack import review_stack

        with self.progress(True) as listener:
            return review_stack(
                self.workspace,
                stack,
                pulumi=self.pulumi,
                environ=self.environ,
                base=None,
                listener=listener,
                report=self.note,
                policies=self.with_policies,
            )

    def history(self, stack: str) -> Sequence[Update]:
        return self._engine(stack).updates()

    def agree(self, stack: str, sentences: Sequence[str]) -> None:
        self.ask(stack, sentences)

    def up(self, stack: str) -> Brought:
        engine, watched = self._engine(stack), Watched()
        self._loaded[stack] = engine.outputs_of(READY).get("loaded") or {}
        try:
            return Brought(self._update(engine, (), watched).changes)
        except (StoppedError, StackBusyError):
            raise
        except EngineError as error:
            if not self.with_rollback:
                raise
            return self._back(stack, engine, error, waited=READY in watched.failed)

    def smoke(self, stack: str, smoke: SmokeRun) -> SmokeResult:
        who = identity(self.workspace, stack)
        job = SmokeJob(smoke.location, smoke.job, smoke.timeout_seconds, who.page, self.commit)
        with self.connect(who, True) as client:
            return smoke_run(client, job, self.note)

    def after_smoke(self, stack: str, smoke: SmokeRun) -> str:
        """That a run fails does not say that its image is why, so nothing is rolled back by itself; but it is said
        what would be gone back to."""
        name = smoke.location
        before = self._loaded.get(stack, {}).get(name)
        now = (self._engine(stack).outputs_of(READY).get("loaded") or {}).get(name)
        again = f"`hybrid run {stack} {name} {smoke.job}` tries again."
        if before is None or "@sha256:" not in before:
            return f"{again} No image of {name} is known to go back to; revert the change to go back."
        if before == now:
            return f"{again} The image of {name} is the one of before, so look at settings, variables and the agent."
        return f"{again} To go back: `hybrid locations pin {stack} {name} {before}`, then `hybrid up {stack}`."

    def rolled_back(self, stack: str, images: Mapping[str, str]) -> HybridError:
        file = self.workspace.stack_file(stack).name
        commands = " and ".join(f"`hybrid locations pin {stack} {name} {image}`" for name, image in images.items())
        return pinned(
            stack,
            images,
            again=f"the pin is in stacks/{file} of this checkout alone. Make it on '{self.branch}' too ({commands}, "
            f"then commit and push), or the next deploy takes the same code again; when the code is mended, "
            f"`hybrid locations unpin {stack} NAME`.",
        )

    def _back(self, stack: str, engine: Engine, error: EngineError, *, waited: bool) -> Brought:
        standing = Stack.read(self.workspace, stack)
        if not standing.who.settings.agent.needs_images:
            if waited:
                self.note("Nothing was rolled back: the agent runs code from its folders, so there is no image before.")
            raise error
        back = Rollback(
            stack=stack,
            file=self.workspace.stack_file(stack),
            outputs_of=engine.outputs_of,
            statuses=lambda: self._statuses(standing),
            update=lambda names: self._update(engine, names, Watched()),
            note=self.note,
        )
        images = back.images(standing.location_names, error, waited=waited)
        self.note(error.sentence())  # the traceback is in it
        return Brought(back.to(images).changes, images)

    def _statuses(self, stack: Stack) -> dict[str, CodeLocationStatus]:
        with self.connect(stack.who, False) as client:
            return {status.name: status for status in client.code_locations()}

    def _engine(self, stack: str) -> Engine:
        return Engine(self.workspace, stack, self.pulumi, dict(self.environ), self.note)

    def _update(self, engine: Engine, targets: Sequence[str], watched: Watched) -> Outcome:
        # in a preview the engine does not know all of a new stack, so the pack is held against the update too
        packs = (self.workspace.policies,) if self.with_policies and not targets else ()
        with self.progress(False) as shown:
            return engine.run("up", watched.through(shown), targets, packs)
