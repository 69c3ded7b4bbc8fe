"""What a switch asks and does, behind one seam: the real deployment and stack, or a world that tests make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from hybrid.plus import Agent, CodeLocationStatus

Document = dict[str, Any]
AgentType = Literal["HYBRID", "SERVERLESS"]
Phase = Literal["prepare", "standby", "serve"]

MARKER: Final = "HYBRID_SWITCH"
"""The variable of the deployment that says to other machines that a switch is at work. Dagster+ refuses a second one of
the same name at the same place. Its scope is "local", so that no code of the deployment gets it."""


@dataclass(frozen=True)
class Wanted:
    """A code location that the stack serves. ``image``: from which it is to be loaded, by digest; None: it runs from
    its folder, or the stack was not brought up yet. ``queue``: its agent queue; None: the default one."""

    name: str
    image: str | None = None
    queue: str | None = None


@dataclass(frozen=True)
class OwnQueue:
    """The agent queue of the stack's own, as its file has it, and the locations that were moved to it."""

    name: str
    locations: tuple[str, ...] = ()


@dataclass(frozen=True)
class SwitchRights:
    """What the token may do. None: Dagster+ does not say."""

    may_edit_locations: bool | None
    may_launch_runs: bool | None
    may_switch: bool | None


@dataclass(frozen=True)
class Marker:
    """The variable ``MARKER`` as it stands; its value, who and when, is for people and is not asked for."""

    id: str


@dataclass(frozen=True)
class TakenVariable:
    """An environment variable at whose place the stack has its own. ``is_told``: Dagster+ tells its value."""

    id: str
    name: str
    is_told: bool


@dataclass(frozen=True)
class ValuesDone:
    """What became of stored values. ``words`` for people; ``facts`` are numbers for the journal."""

    words: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class SmokeDone:
    """A run that was launched to see that it works. ``status`` is Dagster's word, or TIMEOUT."""

    location: str
    job: str
    status: str
    url: str
    error: str | None = None

    @property
    def is_well(self) -> bool:
        return self.status == "SUCCESS"


class SwitchWork(Protocol):
    """Everything outside of this process. Each method is one effect or one look; all raise ``HybridError``s."""

    @property
    def stack(self) -> str: ...
    @property
    def organization(self) -> str: ...
    @property
    def deployment(self) -> str: ...
    @property
    def agent_label(self) -> str:
        """Of the stack's own agent."""
        ...

    @property
    def page(self) -> str:
        """The deployment's page in Dagster+."""
        ...

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def sleep(self, seconds: float) -> None: ...

    # Looks

    def agent_type(self) -> str:
        """HYBRID or SERVERLESS."""
        ...

    def others_on_serverless(self) -> Sequence[str]:
        """Other full deployments of the organization that Serverless runs."""
        ...

    def agents(self) -> Sequence[Agent]: ...

    def serverless_status(self) -> str:
        """Dagster+'s word: ACTIVE, INACTIVE, DELETING …"""
        ...

    def locations(self) -> Mapping[str, CodeLocationStatus]: ...
    def documents(self) -> Mapping[str, Document]: ...
    def instigators_on(self) -> Sequence[str]:
        """The schedules and sensors that are on, in words that are the same each time."""
        ...

    def variable_names(self) -> Sequence[str] | None:
        """Of the deployment's variables, the marker aside; None: the token may not see them."""
        ...

    def taken_variables(self) -> Sequence[TakenVariable]:
        """Those at whose place the stack has its own."""
        ...

    def variables_without_value(self) -> Sequence[tuple[str, str]]:
        """Of the stack: their names, and where the value was looked for."""
        ...

    def check_engine(self) -> None:
        """Raises ``HybridError`` when the stack's state, or the key of its secrets, is not to be had."""
        ...

    def rights(self) -> SwitchRights: ...
    def fingerprint(self) -> str:
        """Of what a plan rests on (``OrganizationState.fingerprint``)."""
        ...

    def wanted(self) -> Sequence[Wanted]:
        """The locations that the stack serves."""
        ...

    def loads(self, document: Document) -> bool:
        """Whether the stack's agent could load what Serverless runs by that document."""
        ...

    def ping(self, location: str) -> None:
        """Raises ``PlusRejected`` when no agent answers for it."""
        ...

    # Effects

    def set_agent_type(self, wanted: AgentType) -> None: ...
    def put_document(self, document: Document) -> None: ...
    def delete_location(self, name: str) -> None: ...
    def marker(self) -> Marker | None: ...
    def marked_elsewhere(self) -> Sequence[str]:
        """Other full deployments of the organization that have a marker, as far as the token may see."""
        ...

    def make_marker(self, text: str) -> Marker: ...
    def remove_marker(self, id: str) -> None: ...

    def phase(self) -> str | None:
        """As the stack file says it; None: it says nothing."""
        ...

    def set_phase(self, phase: str | None) -> None: ...
    def own_queue(self) -> OwnQueue | None:
        """As the stack file says it."""
        ...

    def set_own_queue(self, name: str | None, locations: Sequence[str] = ()) -> None:
        """None: the file says nothing of it."""
        ...

    def foresee(self) -> None:
        """Get ready for ``tell_locations``, while nobody waits for it."""
        ...

    def tell_locations(self) -> Sequence[str]:
        """Tell Dagster+ at once what the next ``up`` would say of the locations, as far as it is known; their names."""
        ...

    def up(self, limit: float | None = None) -> None:
        """Bring the stack to what its file says. After ``limit`` seconds it is stopped: ``NotReadyError``."""
        ...

    def gate(self) -> None:
        """Check every location as before a build. Raises ``SettingsError`` for what must be mended."""
        ...

    def copy_values(self) -> ValuesDone: ...
    def verify_values(self) -> ValuesDone: ...
    def values_stored_since(self, moment: float) -> Sequence[str] | None:
        """Assets that were stored after ``moment``; None: not known."""
        ...

    def pause(self) -> Sequence[str]:
        """What was on before, as a record on disk has it from now on. Idempotent."""
        ...

    def drain(self, runs: str, timeout: float, but_of: str | None = None) -> str:
        """``runs`` is wait, cancel or leave; those of the agent ``but_of`` do not count. What is left, in words;
        "nothing"."""
        ...

    def resume(self) -> Sequence[str]:
        """What is on again. Idempotent: without a record nothing is done."""
        ...

    def smoke(self) -> Sequence[SmokeDone]: ...

    # Kept beside the journal, with what may be secret in it: mode 0600

    def keep_documents(self, documents: Mapping[str, Document]) -> str:
        """On disk when this returns; their digest."""
        ...

    def kept_documents(self, digest: str) -> Mapping[str, Document]:
        """Raises ``HybridError`` when they are not there, or others are."""
        ...

    def keep_variables(self) -> str:
        """``taken_variables``, with their values, on disk when this returns; their digest."""
        ...

    def release_variables(self, digest: str) -> None:
        """The kept ones go, so that the stack's can come. Idempotent."""
        ...

    def restore_variables(self, digest: str) -> Sequence[str]:
        """Each kept one as it was. Idempotent. Names of those whose value nobody knew."""
        ...
