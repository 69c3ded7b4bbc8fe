"""What is done while Serverless goes on as if nothing were."""

from __future__ import annotations

from typing import ClassVar

from hybrid.errors import SettingsError, UsageError
from hybrid.switch.choices import PlanGiven
from hybrid.switch.serverless_agents import serverless_agents
from hybrid.switch.steps.step import Facts, Note, SwitchStep
from hybrid.switch.waiting import wait_for
from hybrid.switch.work import Phase


class Preflight(SwitchStep):
    """Nothing is changed by it. What stands now is noted, for the end to be compared with."""

    name: ClassVar[str] = "preflight"
    title: ClassVar[str] = "look whether the switch can begin"
    if_it_fails: ClassVar[str] = "Nothing was changed."

    def do(self, facts: Facts, note: Note) -> None:
        work, plan = self.work, self.choices.plan
        if (agent_type := work.agent_type()) != "SERVERLESS":
            raise UsageError(
                f"The deployment '{work.deployment}' is run by {agent_type} agents already.",
                next_step=f"`hybrid switch verify {work.stack}` looks whether all is as it should be.",
            )
        if plan is not None:
            self._refuse_other(plan)
        self._refuse_without_rights()
        self._refuse_unserved()
        self.work.check_engine()
        self._refuse_without_values()
        self._say_what_is_taken()
        serverless = serverless_agents(work.agents())
        note(
            {
                "strategy": self.choices.strategy.value,
                "agents": [agent.id for agent in serverless],
                "variables": work.variable_names(),
                "loaded": sorted(name for name, each in work.locations().items() if each.is_loaded),
                "on": list(work.instigators_on()),
            }
        )
        if not serverless:
            self.tell("No Serverless agent is listed, so only Dagster+'s own word will say when it is gone.")

    def _refuse_other(self, plan: PlanGiven) -> None:
        work = self.work
        if (plan.organization, plan.deployment) != (work.organization, work.deployment):
            raise UsageError(
                f"The plan is of '{plan.deployment}' of '{plan.organization}', and the stack serves "
                f"'{work.deployment}' of '{work.organization}'.",
                next_step=f"make one for this: `hybrid switch plan {work.stack} --save FILE`.",
            )
        if plan.fingerprint != work.fingerprint():
            raise UsageError(
                "The deployment is not what it was when the plan was made.",
                why="Locations, variables, settings, or what is on have changed since.",
                next_step=f"make a new plan and read it: `hybrid switch plan {work.stack} --save FILE`.",
            )

    def _refuse_without_rights(self) -> None:
        rights = self.work.rights()
        missing = [
            what
            for what, may in (
                ("edit code locations", rights.may_edit_locations),
                ("launch runs", rights.may_launch_runs),
            )
            if may is False
        ]
        if missing:
            raise SettingsError(
                f"The token may not {' and '.join(missing)}.",
                next_step="use a token of an Editor of the deployment, better of an Organization Admin.",
            )
        if rights.may_switch is False:
            self.tell("The token seems not to be an Organization Admin's: you will be shown which button to press.")

    def _refuse_unserved(self) -> None:
        served = {each.name for each in self.work.wanted()}
        others = sorted(set(self.work.documents()) - served)
        if others and not self.choices.leave_unserved:
            raise SettingsError(
                f"The stack '{self.work.stack}' does not serve {', '.join(others)}.",
                why="After the switch no agent could run them from what they are now.",
                next_step="add them to `hybrid:locations`, delete them in Dagster+, or give --leave-unserved.",
            )

    def _refuse_without_values(self) -> None:
        """The program asks for them when locations are served, which is when no agent serves them."""
        missing = self.work.variables_without_value()
        if missing:
            raise SettingsError(
                f"No value is at hand for {', '.join(name for name, _ in missing)}.",
                why="\n".join(f"{name}: there is no {where}" for name, where in missing),
                next_step="set what is missing (docs/environment-variables.md), then run it again.",
            )

    def _say_what_is_taken(self) -> None:
        taken = self.work.taken_variables()
        told, untold = ([each.name for each in taken if each.is_told is known] for known in (True, False))
        if told:
            self.tell(f"The stack takes over {', '.join(told)}; `back` puts the former values back.")
        if untold:
            self.tell(
                f"The stack takes over {', '.join(untold)}, whose values Dagster+ does not tell this token: `back` "
                "cannot put them back. Have them at hand, or use a token that may view them."
            )


class Prepare(SwitchStep):
    """The stack without its locations."""

    name: ClassVar[str] = "prepare"
    title: ClassVar[str] = "stand up the stack beside Serverless"
    if_it_fails: ClassVar[str] = "Serverless goes on as before. Mend what it names."

    def do(self, facts: Facts, note: Note) -> None:
        if "phase" not in facts:
            note({"phase": self.work.phase()})
        beside = self._beside()
        note({"beside": beside})
        self.work.set_phase(beside)
        self.work.up()

    def _beside(self) -> Phase:
        """An agent that cannot load what Serverless runs stands by: it would try again and again, hear of the hand-over
        only in between (``stacks.standby.standing_by``), and fail what it takes from Serverless's queue. It
        starts anew with the hand-over, which takes seconds; so one that can load it does not stand by."""
        foreign = sorted(name for name, each in self.work.documents().items() if not self.work.loads(each))
        if not foreign:
            return "prepare"
        few = f"{', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}"
        self.tell(f"The agent takes no work until the hand-over: it could not load what Serverless runs ({few}).")
        return "standby"

    def take_back(self, facts: Facts) -> None:
        """The stack lets go of its locations. That they stay in Dagster+ is the provider's doing: what a deployment on
        Serverless has under their names is Serverless's."""
        if self.given.journal.last("serve") is not None:
            self.work.set_phase(self.beside)
            self.work.up()
        if "phase" in facts:
            self.work.set_phase(facts["phase"])
        self.tell(f"The stack's agent still stands; `hybrid down {self.work.stack}` takes it away.")


class Agent(SwitchStep):
    """Whether Dagster+ shows a Hybrid agent on a Serverless deployment is not known, so it is found out."""

    name: ClassVar[str] = "agent"
    title: ClassVar[str] = "see the Hybrid agent RUNNING"
    if_it_fails: ClassVar[str] = "Serverless goes on as before."

    def do(self, facts: Facts, note: Note) -> None:
        label = self.work.agent_label

        def running() -> bool | None:
            return True if any(each.label == label and each.is_running for each in self.work.agents()) else None

        limits = {"seconds": self.choices.agent_seconds, "poll": self.choices.poll_seconds}
        seen = wait_for(self.work, running, **limits) is not None
        note({"seen": seen})
        if not seen:
            self._unseen(label)

    def _unseen(self, label: str) -> None:
        self.tell(
            f"Dagster+ does not show {label} as RUNNING while the deployment is on Serverless. That may be its "
            f"way; `hybrid logs {self.work.stack} agent` says how it is. It is waited for after the switch."
        )


class Gate(SwitchStep):
    """The locations as `up` will check them, before anything waits for them."""

    name: ClassVar[str] = "gate"
    title: ClassVar[str] = "check every location"
    if_it_fails: ClassVar[str] = "Serverless goes on as before. Mend the locations that it names."

    def do(self, facts: Facts, note: Note) -> None:
        self.work.gate()
