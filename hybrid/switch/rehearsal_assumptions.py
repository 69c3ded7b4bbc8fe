"""What a rehearsal's times rest on that nobody outside of Dagster Labs knows: behaviours that the embedded Dagster+ has
because somebody chose them. Each is a question of docs/unknowns.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hybrid.switch.rehearsal_place import EmulatedServerless


@dataclass(frozen=True)
class Assumption:
    """``question`` is a heading of docs/unknowns.md; ``assumed`` what was so here; ``otherwise`` what it would mean."""

    question: str
    assumed: str
    otherwise: str

    def document(self) -> dict[str, Any]:
        return {"question": self.question, "assumed": self.assumed, "otherwise": self.otherwise}


def assumptions(assumed: EmulatedServerless) -> tuple[Assumption, ...]:
    """Those of this rehearsal."""
    after = "served" if assumed.values_after_switch else "refused"
    shown = {"running": "as RUNNING", "not-running": "as NOT_RUNNING", "hidden": "not at all"}[assumed.hybrid_agents]
    return (
        Assumption(
            "For how long does the Serverless agent go on after the switch?",
            f"{assumed.departure_seconds} s (--departure)",
            "The sooner it goes, the longer the downtime: 0 is the worst, and the number to reckon with.",
        ),
        Assumption(
            "Does a Hybrid agent show RUNNING on a SERVERLESS deployment?",
            f"it shows {shown} (--hybrid-on-serverless)",
            "If it is not shown, whether the agent works is known only after the hand-over.",
        ),
        Assumption(
            "Does it finish the runs that it has?",
            "what runs on it ends with it",
            "The switch waits for runs first, so that it makes no difference.",
        ),
        Assumption(
            "Are stored values served to a deployment that is HYBRID?",
            f"{after} (--values-after-switch)",
            "The switch copies them before the hand-over, so that it makes no difference.",
        ),
        Assumption(
            "Who may call `updateDeploymentAgentType`?",
            "an administrator's user token, as the rehearsal's is",
            "A token that may not: somebody presses the button, and the switch waits for it.",
        ),
        Assumption(
            "When is an agent NOT_RUNNING?",
            "90 s after its last heartbeat",
            "The step that sees the Serverless agent gone takes as much longer or shorter; it is no downtime.",
        ),
        Assumption(
            "How does the Serverless agent fetch PEX files?",
            "not at all: here it runs the same folders, in the same environments, as the Hybrid agent",
            "How fast a location loads on Serverless again, on the way back, is not known from here.",
        ),
    )
