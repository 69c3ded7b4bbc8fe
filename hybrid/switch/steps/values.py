"""Stored values: copied while Serverless works, the rest when nothing does, and compared."""

from __future__ import annotations

from typing import ClassVar

from hybrid.switch.steps.step import Facts, Note, SwitchStep


class CopyValues(SwitchStep):
    """Most of them, so that little is left for when all waits."""

    name: ClassVar[str] = "copy_values"
    title: ClassVar[str] = "copy stored values"
    if_it_fails: ClassVar[str] = "Serverless goes on as before, and is only read. What was copied is not copied again."

    def do(self, facts: Facts, note: Note) -> None:
        if not self.choices.values:
            self.tell("Stored values are not copied, as told: what Serverless stored cannot be read on Hybrid.")
            return
        done = self.work.copy_values()
        note(done.facts)
        self.tell(done.words)

    def take_back(self, facts: Facts) -> None:
        """Copies stay. What was stored on Hybrid meanwhile is not on Serverless, and that is said."""
        switched = self.ever("switch", "switched_at")
        if switched is None:
            return
        assets = self.work.values_stored_since(float(switched))
        if assets is None:
            self.tell("Values stored on Hybrid since the switch are not on Serverless; which ones is not known.")
        elif assets:
            self.tell(f"Stored on Hybrid since the switch, and not on Serverless: {', '.join(assets)}.")


class CopyRest(CopyValues):
    """What was stored since, now that nothing stores any more."""

    name: ClassVar[str] = "copy_rest"
    title: ClassVar[str] = "copy what was stored since"
    if_it_fails: ClassVar[str] = "Schedules and sensors are paused. Mend what it names and go on, or go back."

    def take_back(self, facts: Facts) -> None:
        """``CopyValues`` says what there is to say."""


class VerifyValues(SwitchStep):
    """The last look before the hand-over."""

    name: ClassVar[str] = "verify_values"
    title: ClassVar[str] = "compare the copied values"
    if_it_fails: ClassVar[str] = "Schedules and sensors are paused. `hybrid assets status --failed` has the reasons."

    def do(self, facts: Facts, note: Note) -> None:
        if self.choices.values:
            done = self.work.verify_values()
            note(done.facts)
            self.tell(done.words)
