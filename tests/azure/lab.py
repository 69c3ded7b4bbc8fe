"""The stand-in for Azure (tests/standins/azure) with an empty environment in it, for whoever asks it by code of this
project. Apps and jobs are pretended: nothing runs. Those that run are in ``tests.azure.cloud``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.azure_names import AzureNames
from agent.azure_roles import Right, agent_rights
from hybrid.azure.session import Azure
from tests.emulated.checkout import until
from tests.standins.azure.answer import Answer
from tests.standins.azure.rights import Grant, Rights
from tests.standins.azure.server import AzureStandIn, token_of
from tests.standins.azure.things import Place, Thing

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
AGENT, OWNER = "client-of-agent", "owner"
NAMES = AzureNames.of("quick", SUBSCRIPTION, "westeurope")
PLACE = Place(NAMES.group_id)


class Signed:
    """A credential for the stand-in."""

    def __init__(self, who: str) -> None:
        self._who = who

    def get_token(self, *_: str, **__: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(token_of(self._who), 2**31)


def granted(rights: Iterable[Right] = agent_rights(isolated=True)) -> list[Grant]:
    """As the stack's program assigns them (tests/azure/test_azure_program.py holds it to that)."""
    scopes = {
        "resource-group": NAMES.group_id,
        "environment": NAMES.environment_id,
        "code-identity": NAMES.identity_id("code"),
    }
    return [Grant(right.action, scopes[right.scope]) for right in rights]


class PretendContainer:
    """One that is up at once, and goes on or has ended as its command says: ``/bin/true``, ``/bin/false``, or other."""

    starting = False
    fault = ""

    def __init__(self, command: list[str]) -> None:
        ends = {"/bin/true": 0, "/bin/false": 1}
        self.exit_code = ends.get(command[0]) if command else None

    def lines(self) -> list[tuple[datetime, str]]:
        return [(datetime.now(UTC), "pretended")]

    def end(self, grace: float | None = None) -> None:
        self.exit_code = 137 if self.exit_code is None else self.exit_code


@dataclass
class AzureLab:
    """``with AzureLab(folder) as lab:`` is an empty environment with the agent's roles."""

    folder: Path
    rights: Rights = field(default_factory=lambda: Rights({AGENT: granted()}, owners=[OWNER]))

    def __post_init__(self) -> None:
        self.azure = AzureStandIn(self.folder / "azure", PLACE, self.rights, _pretended)
        for path in (NAMES.group_id, NAMES.environment_id):
            self.arm.resources.seed(path)

    def __enter__(self) -> AzureLab:
        self.azure.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.azure.__exit__()

    @property
    def arm(self) -> Any:
        return self.azure.arm

    def door(self, who: str = OWNER) -> Azure:
        return Azure(SUBSCRIPTION, endpoint=self.azure.endpoint, credential=Signed(who))

    def as_owner(self, method: str, path: str, body: Any = None) -> Answer:
        answer: Answer = self.arm.handle(OWNER, method, path, {"api-version": "2025-07-01"}, body)
        assert answer.status < 300, answer.body
        return answer

    def until(self, condition: Any, *, seconds: float, what: str) -> Any:
        """As ``tests.emulated.checkout.until``; the failure says what Azure refused."""
        try:
            return until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            told = f"denied {self.rights.denied[-5:]}, unknown {self.arm.unknown[-5:]}"
            raise AssertionError(f"{error}\n\n{told}") from error


def _pretended(thing: Thing, _: str) -> PretendContainer:
    return PretendContainer(thing.body["properties"]["template"]["containers"][0].get("command") or [])
