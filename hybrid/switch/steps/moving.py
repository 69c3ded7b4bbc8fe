"""By an agent queue of the stack's own: locations go over one at a time while Serverless serves the rest.

Serverless takes the requests of the default queue and no others (an agent takes those of its queues alone:
dagster_cloud/agent/dagster_cloud_agent.py), so a location is moved by its document, which names a queue. Dagster+'s own
page for the mix: docs.dagster.io/deployment/dagster-plus/deploying-code/serverless-hybrid-deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hybrid.errors import HybridError, NotReadyError, StoppedError
from hybrid.switch.steps.beforehand import Agent, Prepare
from hybrid.switch.steps.handover import said
from hybrid.switch.steps.quiet import Drain
from hybrid.switch.steps.serving import Departure, Loaded, is_loaded, not_loaded
from hybrid.switch.steps.step import Facts, Note, SwitchStep
from hybrid.switch.waiting import wait_for
from hybrid.switch.work import Phase, Wanted


class PrepareOnQueue(Prepare):
    """As for a switch at once, but the agent leaves the default queue to Serverless."""

    def do(self, facts: Facts, note: Note) -> None:
        found = self.work.own_queue()
        if "queue" not in facts:
            note({"queue": None if found is None else found.name})
        if found is None:
            self.work.set_own_queue(self.choices.queue)
        super().do(facts, note)

    def _beside(self) -> Phase:
        """On its own queue it is handed nothing of Serverless's."""
        return "prepare"

    def take_back(self, facts: Facts) -> None:
        """In the file alone: what stands keeps its queue. By the default one it would take Serverless's work."""
        if "phase" in facts:
            self.work.set_phase(facts["phase"])
        if "queue" in facts and facts["queue"] is None:
            self.work.set_own_queue(None)
        self.tell(f"The stack's agent still stands, on its own queue; `hybrid down {self.work.stack}` takes it away.")


class AgentOnQueue(Agent):
    """Without it nothing is moved: a location whose queue nobody serves would be without an agent."""

    def _unseen(self, label: str) -> None:
        raise NotReadyError(
            f"Dagster+ does not show {label} as RUNNING, and by queue nothing moves to an agent that is not seen.",
            why="It did not come up, or Dagster+ shows no Hybrid agents of a deployment on Serverless.",
            next_step=f"`hybrid logs {self.work.stack} agent` says how it is. If it is well, take this back "
            f"(`hybrid switch back {self.work.stack}`) and switch all at once.",
        )


class Move(SwitchStep):
    """Each location by an `up`, seen loaded before the next one; one that does not load is moved back alone."""

    name: ClassVar[str] = "move"
    title: ClassVar[str] = "move locations to the stack's own queue, one at a time"
    if_it_fails: ClassVar[str] = (
        "What was moved is on Hybrid, the rest on Serverless; schedules and sensors are paused. Mend what it names."
    )

    def do(self, facts: Facts, note: Note) -> None:
        moved: dict[str, float] = dict(facts.get("moved") or {})
        self.release_variables()
        for name in sorted(each.name for each in self.work.wanted()):
            if name in moved:
                continue
            begun = self.work.now()
            self._move(name, list(moved))
            moved[name] = round(self.work.now() - begun, 1)
            note({"moved": dict(moved)})
        if moved:
            slowest = max(moved, key=lambda name: moved[name])
            self.tell(f"{len(moved)} locations are on Hybrid; the slowest move was {slowest}, {moved[slowest]:g} s.")

    def take_back(self, facts: Facts) -> None:
        """One at a time, the last first, then the stack lets go of them; nothing of theirs is deleted by that, as what
        stands under their names is Serverless's again."""
        kept, served = self._kept(), {each.name for each in self.work.wanted()}
        for name in sorted({*kept, *served}, reverse=True):
            if self._put_back(name, kept):
                self._await_on_serverless(name)
        self._register(())

    def _move(self, name: str, others: Sequence[str]) -> None:
        try:
            self._register((*others, name))
            self._await_on_hybrid(name)
        except StoppedError:
            raise
        except HybridError as error:
            self._put_back(name, self._kept())
            self._register(others)
            self._await_on_serverless(name)
            raise NotReadyError(
                f"{name} did not come up on Hybrid, and was moved back to Serverless.",
                why=error.sentence(),
                next_step=f"`hybrid logs {self.work.stack}` says why; mend that.",
            ) from error

    def _register(self, names: Sequence[str]) -> None:
        found = self.work.own_queue()
        self.work.set_own_queue(self.choices.queue if found is None else found.name, names)
        self.work.up()

    def _put_back(self, name: str, kept: Mapping[str, dict[str, Any]]) -> bool:
        """As Serverless had it; whether it has to load it."""
        present = self.work.documents().get(name)
        if name not in kept:
            if present is not None:
                self.work.delete_location(name)
            return False
        if said(present) != said(kept[name]):
            self.work.put_document(dict(kept[name]))
        return True

    def _kept(self) -> Mapping[str, dict[str, Any]]:
        digest = self.of("documents").get("digest")
        return {} if digest is None else self.work.kept_documents(digest)

    def _await_on_hybrid(self, name: str) -> None:
        """Loaded from what was told for its queue, and its queue served."""
        document = self.work.documents().get(name) or {}
        wanted = Wanted(name, document.get("image"), document.get("agent_queue"))

        def answers() -> bool | None:
            found = self.work.locations()
            if name in found and found[name].has_failed(wanted.image):
                raise not_loaded([wanted], found)
            if not is_loaded(wanted, found):
                return None
            self.work.ping(name)
            return True

        self._wait(answers, f"{name} did not load on Hybrid")

    def _await_on_serverless(self, name: str) -> None:
        """Unless it was not loaded there before."""
        before = self.of("documents").get("loaded") or ()

        def loaded() -> bool | None:
            found = self.work.locations()
            return True if name not in before or (name in found and found[name].is_loaded) else None

        self._wait(loaded, f"{name} is Serverless's again, and did not load there")

    def _wait(self, look: Any, trouble: str) -> None:
        seconds = self.choices.load_seconds
        if wait_for(self.work, look, seconds=seconds, poll=self.choices.poll_seconds) is None:
            raise NotReadyError(
                f"{trouble} within {seconds:g} s.",
                next_step=f"look at {self.work.page}; `hybrid logs {self.work.stack}` says more.",
            )


class DrainRest(Drain):
    """Runs that somebody launched on Serverless before their location was moved end there, not with it."""

    name: ClassVar[str] = "drain_rest"
    title: ClassVar[str] = "wait until nothing runs on Serverless"

    def _but_of(self) -> str | None:
        """What runs on Hybrid already may go on; with users at work there is always some."""
        return self.work.agent_label


class LoadedOnQueue(Loaded):
    """No location was without an agent: all were loaded on Hybrid before the hand-over, and nothing loads them anew."""

    def _moment(self) -> float:
        return float(self.of("switch").get("switched_at", self.work.now()))


class DepartureOnQueue(Departure):
    """After all else: an agent of another queue takes nothing from this one."""

    if_it_fails: ClassVar[str] = "Hybrid serves, schedules and sensors are as before. Go on waiting, or go back."
