"""Hybrid takes over: locations told, loaded, tried; and Serverless seen to be gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hybrid.errors import HybridError, NotReadyError, RunFailedError, StoppedError
from hybrid.plus import CodeLocationStatus
from hybrid.switch.downtime import downtime_of
from hybrid.switch.serverless_agents import last_heartbeat, serverless_agents, still_there
from hybrid.switch.steps.step import Facts, Note, SwitchStep
from hybrid.switch.waiting import wait_for
from hybrid.switch.work import Wanted

_LEAVING = "DELETING"
_SHOWN = 5


class Serve(SwitchStep):
    """At once: the Hybrid agent loads while the Serverless one departs."""

    name: ClassVar[str] = "serve"
    title: ClassVar[str] = "tell Dagster+ the locations' images"
    if_it_fails: ClassVar[str] = "No agent serves what did not load. Mend what it names and go on, or go back at once."

    def do(self, facts: Facts, note: Note) -> None:
        self.work.set_phase("serve")
        self.release_variables()
        note({"told": self._told()})
        self.work.up(self._left())

    def _told(self) -> list[str]:
        """What cannot be told yet is told by the update, which also says why it could not be."""
        try:
            return list(self.work.tell_locations())
        except StoppedError:
            raise
        except HybridError as error:
            self.tell(f"The locations are told by the update: {error.what}")
            return []

    def _left(self) -> float | None:
        """Until the time at which it goes back by itself."""
        switched, limit = self.of("switch").get("switched_at"), self.choices.return_after
        if switched is None or limit is None:
            return None
        return max(1.0, float(switched) + limit - self.work.now())

    def take_back(self, facts: Facts) -> None:
        """In the file alone: while the deployment is HYBRID, an `up` would take the locations away."""
        self.work.set_phase(self.beside)


class Loaded(SwitchStep):
    """The end of the downtime."""

    name: ClassVar[str] = "loaded"
    title: ClassVar[str] = "see all locations loaded on Hybrid"
    if_it_fails: ClassVar[str] = "No agent serves what did not load. Mend what it names and go on, or go back at once."

    def do(self, facts: Facts, note: Note) -> None:
        if "loaded_at" not in facts:
            self._wait()
            agents = serverless_agents(self.work.agents(), self.of("preflight").get("agents") or ())
            note({"loaded_at": self._moment(), "last_heartbeat": last_heartbeat(agents)})
        downtime = downtime_of(self.of("switch"), self.of("loaded"), {})
        if downtime is not None:
            self.tell(f"All locations are loaded on Hybrid: {downtime.words()}.")

    def _moment(self) -> float:
        return self.work.now()

    def _wait(self) -> None:
        wanted = list(self.work.wanted())
        label = self.work.agent_label

        def all_there() -> bool | None:
            found = self.work.locations()
            running = any(each.label == label and each.is_running for each in self.work.agents())
            failed = [each for each in wanted if (one := found.get(each.name)) and one.has_failed(each.image)]
            settled = all(is_loaded(each, found) or each in failed for each in wanted)
            if running and settled and failed:
                raise not_loaded(failed, found)
            return True if running and settled else None

        seconds = self.choices.load_seconds
        if wait_for(self.work, all_there, seconds=seconds, poll=self.choices.poll_seconds) is None:
            found = self.work.locations()
            late = [each.name for each in wanted if not is_loaded(each, found)]
            what = f"{', '.join(late)} did not load" if late else f"the agent {label} is not RUNNING"
            raise NotReadyError(
                f"Within {seconds:g} s {what}.",
                next_step=f"`hybrid logs {self.work.stack}` and `hybrid status {self.work.stack}` say why.",
            )


class Departure(SwitchStep):
    """Before anything is launched: a run that two agents may take is a run on the wrong one."""

    name: ClassVar[str] = "departure"
    title: ClassVar[str] = "see the Serverless agent gone"
    if_it_fails: ClassVar[str] = "Hybrid serves; schedules and sensors are paused. Go on waiting, or go back."

    def do(self, facts: Facts, note: Note) -> None:
        known = self.of("preflight").get("agents") or ()
        others = list(self.work.others_on_serverless())

        def gone() -> bool | None:
            agents = serverless_agents(self.work.agents(), known)
            mine = [agent for agent in agents if agent.id in known] if others else agents
            if still_there(mine, self.work.now()):
                return None
            # while other deployments are on Serverless, the organization's status says nothing of this one
            return True if others or self.work.serverless_status() not in {"ACTIVE", _LEAVING} else None

        seconds = self.choices.departure_seconds
        done = wait_for(self.work, gone, seconds=seconds, poll=self.choices.poll_seconds) is not None
        note({"gone": done, "last_heartbeat": last_heartbeat(serverless_agents(self.work.agents(), known))})
        if others:
            self.tell(
                f"Also on Serverless: {', '.join(others)}; which of its agents is whose cannot be told for certain."
            )
        if done:
            return
        words = (
            f"The Serverless agent has not gone within {seconds:g} s (Serverless is {self.work.serverless_status()})."
        )
        if self.choices.serverless_stays == "stop":
            raise NotReadyError(
                words,
                why="While it is there it may take work that it cannot do.",
                next_step=f"look at {self.work.page}, ask Dagster+ support.",
            )
        self.tell(f"{words} Going on, as told: while it is there it may take work that it cannot do.")


class Smoke(SwitchStep):
    """A run that shows that it works."""

    name: ClassVar[str] = "smoke"
    title: ClassVar[str] = "run what shows that it works"
    if_it_fails: ClassVar[str] = "Hybrid serves; schedules and sensors are paused. Look at the run; go on, or go back."

    def do(self, facts: Facts, note: Note) -> None:
        done = list(self.work.smoke())
        note({"runs": [{"location": one.location, "job": one.job, "status": one.status} for one in done]})
        if not done:
            self.tell("No smoke run is given (--smoke LOCATION:JOB, or stacks/pipeline.yaml): nothing was run.")
        for one in done:
            if not one.is_well:
                what = f"The smoke run of {one.job} in {one.location} ended with {one.status}."
                raise RunFailedError(what, why=one.error, next_step=f"look at {one.url}.")


def is_loaded(wanted: Wanted, found: Mapping[str, CodeLocationStatus]) -> bool:
    """Whether it is loaded, from the image that is expected if there is one."""
    status = found.get(wanted.name)
    if status is None:
        return False
    return status.is_loaded if wanted.image is None else status.has_loaded(wanted.image)


def not_loaded(failed: list[Wanted], found: Mapping[str, CodeLocationStatus]) -> NotReadyError:
    """What to raise for those: each with its own error, in the words of its code."""
    lines = []
    for each in failed[:_SHOWN]:
        error = found[each.name].error
        lines.append(f"{each.name}: {error.reason}" if error else each.name)
    return NotReadyError(
        f"{len(failed)} {'location' if len(failed) == 1 else 'locations'} did not load: "
        f"{', '.join(each.name for each in failed)}.",
        why="\n".join(lines),
        next_step="mend what they name.",
    )
