"""The deployment kept still, and let go again."""

from __future__ import annotations

from typing import ClassVar

from hybrid.switch.steps.step import Facts, Note, SwitchStep


class Pause(SwitchStep):
    """What was on is on record before the first is turned off."""

    name: ClassVar[str] = "pause"
    title: ClassVar[str] = "pause schedules and sensors"
    if_it_fails: ClassVar[str] = "Some may be off; which were on is kept, and `back` turns them on again."

    def do(self, facts: Facts, note: Note) -> None:
        if "on" not in facts:
            note({"on": list(self.work.instigators_on())})
        note({"paused": list(self.work.pause())})

    def take_back(self, facts: Facts) -> None:
        self.work.resume()


class Drain(SwitchStep):
    """Runs are waited for, canceled or left, as told."""

    name: ClassVar[str] = "drain"
    title: ClassVar[str] = "wait until nothing runs"
    if_it_fails: ClassVar[str] = "Schedules and sensors are paused, runs go on. Go on waiting, or choose --runs cancel."

    def do(self, facts: Facts, note: Note) -> None:
        left = self.work.drain(self.choices.runs, self.choices.drain_seconds, self._but_of())
        note({"left": left})
        if left != "nothing":
            self.tell(f"Left at work: {left}. What runs on Serverless ends with it.")

    def _but_of(self) -> str | None:
        """The agent whose runs do not count; None: all do."""
        return None


class Resume(SwitchStep):
    """On the side on which the deployment is then. Going back does not pause: what stops in between is what a tick
    misses, and Serverless's schedules are the same ones."""

    name: ClassVar[str] = "resume"
    title: ClassVar[str] = "turn schedules and sensors on again"
    if_it_fails: ClassVar[str] = "Hybrid serves. What is not on again is named; mend it and go on."

    def do(self, facts: Facts, note: Note) -> None:
        note({"on": list(self.work.resume())})
