"""What all steps have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hybrid.switch.choices import Choices
from hybrid.switch.journal import Journal
from hybrid.switch.work import Phase, SwitchWork

Facts = Mapping[str, Any]
Note = Callable[[Facts], None]


@dataclass(frozen=True)
class Given:
    """By what and how steps are done. ``tell`` takes one-line notices."""

    work: SwitchWork
    choices: Choices
    journal: Journal
    tell: Callable[[str], None]


@dataclass(frozen=True)
class SwitchStep:
    """See ``hybrid.switch.walk.Step``. Nothing is taken back unless a step says how."""

    given: Given
    name: ClassVar[str]
    title: ClassVar[str]
    if_it_fails: ClassVar[str]
    """What a person does then, and how things stand."""

    @property
    def work(self) -> SwitchWork:
        return self.given.work

    @property
    def choices(self) -> Choices:
        return self.given.choices

    def tell(self, text: str) -> None:
        self.given.tell(text)

    def of(self, step: str) -> dict[str, Any]:
        """What the journal has of another step."""
        return self.given.journal.facts(step)

    def ever(self, step: str, fact: str) -> Any:
        """The newest that the journal has of it, also when the step was taken back since; None: nothing."""
        lines = (line for line in reversed(self.given.journal.lines) if line.step == step and fact in line.facts)
        return next((line.facts[fact] for line in lines), None)

    @property
    def beside(self) -> Phase:
        """The stack's phase beside Serverless, on the way back: as it was. When not all was seen loaded on Hybrid
        it stands by, or the agent would report for Serverless's locations what it reported for its own."""
        served, loaded = self.given.journal.last("serve") is not None, self.ever("loaded", "loaded_at") is not None
        before: Phase = self.of("prepare").get("beside", "prepare")
        return "standby" if served and not loaded else before

    def release_variables(self) -> None:
        """Before the stack makes its own. Where Serverless still serves, what starts there reads those, too."""
        digest = self.of("documents").get("variables")
        if digest is not None:
            self.work.release_variables(digest)

    def do(self, facts: Facts, note: Note) -> None:
        raise NotImplementedError

    def take_back(self, facts: Facts) -> None:
        """As it was."""
