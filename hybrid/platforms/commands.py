"""What a platform is to the commands: everything that they do otherwise for an agent that lives elsewhere.

A platform answers ``PlatformCommands`` in a module of its own; ``choice.commands_of`` chooses it. What its settings
alone tell is said by their class (``agent.any_spec.AnyAgentSpec``), and how it stands up by ``stacks.platform``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hybrid.costs.estimate import Estimate
    from hybrid.engine.stack import Stack
    from hybrid.plus import Agent, PlusClient
    from hybrid.toolchain.doctor import Finding


@dataclass(frozen=True)
class LogRequest:
    """Whose log: that of ``location``'s code server, that of the run ``run``, or else the agent's. ``lines``: how many
    of the last; ``since``: how far back; None: an hour where logs are kept for longer than a container, all of them
    elsewhere."""

    location: str | None = None
    run: str | None = None
    lines: int = 50
    since: timedelta | None = None
    follow: bool = False

    @property
    def within(self) -> timedelta:
        """How far back in a log that is kept."""
        return timedelta(hours=1) if self.since is None else self.since


@dataclass(frozen=True)
class LogLine:
    """What was written, with the end of its line if it has one. ``at`` and ``source`` (which task or pod, short) where
    several things write into one log."""

    text: str
    at: datetime | None = None
    source: str = ""


Say: TypeAlias = Callable[[LogLine], None]


@dataclass(frozen=True)
class Remark:
    """A line beside what is shown, on standard error."""

    text: str


Shown: TypeAlias = "RenderableType | Remark"


class PlatformStanding(Protocol):
    """What a platform tells of what stands on it, for ``hybrid status``."""

    @property
    def key(self) -> str:
        """Of the document in the answer of ``status --json``."""
        ...

    def document(self) -> dict[str, Any]: ...

    def shown(self) -> Iterator[Shown]:
        """The same for people, in order."""
        ...


@dataclass(frozen=True)
class RunningAgent:
    """What the platform runs as the agent: its image and the text of its dagster.yaml, where they are known.
    ``unknown``: why they are not."""

    image: str | None = None
    settings: str | None = None
    unknown: str | None = None


@dataclass(frozen=True)
class PlatformCommands(ABC):
    """The commands' side of a platform, for one stack.

    ``report`` takes lines beside the answer; ``plus`` opens the stack's Dagster+, when something is asked there.
    """

    stack: Stack
    report: Callable[[str], None]
    plus: Callable[[], PlusClient]

    def check_beforehand(self) -> None:  # noqa: B027 - most platforms have nothing to refuse
        """Refuse what every step of an update would fail by, such as credentials of another account."""

    # logs and shells

    @abstractmethod
    def logs(self, wanted: LogRequest, say: Say) -> None:
        """Say each line. Raises ``UsageError`` for a log that there is none of."""

    @abstractmethod
    def shell(self, location: str | None, command: str, *, checked: bool) -> list[str]:
        """The program and its arguments that run ``command`` in the agent's container, or in ``location``'s code
        server. ``checked``: it is to be run here and now, so that missing tools are refused."""

    # the agent

    @abstractmethod
    def stop_agent(self) -> bool:
        """Stop it, so that `up`, which looks first, starts it anew. False: nothing was stopped, since here an update
        replaces the agent when `hybrid:agent.restarts` has another value."""

    @property
    @abstractmethod
    def single(self) -> str | None:
        """Why there is one agent and no more, after "Replicas are for an agent that must outlast a machine"; None:
        `hybrid:agent.replicas` says how many there are."""

    def agents_running(self) -> int:
        """How many run there now; asked only where there are replicas."""
        raise NotImplementedError

    @property
    def agent_image(self) -> str | None:
        """The agent's image that the stack file or its default names, `hybrid:agent.image`, whose tag is a version of
        dagster-cloud; None: the agent is made of what this checkout has."""
        return None

    def agent_running(self) -> RunningAgent:
        """What runs as the agent now; asked only where there is an ``agent_image``. A platform that does not answer is
        an answer, too."""
        raise NotImplementedError

    # what stands there

    def standing(self, agents: Sequence[Agent]) -> PlatformStanding | None:
        """What the platform tells beside Dagster+, ``agents`` being the stack's there. None: it has nothing to tell. A
        platform that does not answer is an answer, too."""
        return None

    def images_in_use(self, registry: str, asked: set[object]) -> Iterator[tuple[str, str]]:
        """Images that are in use on the platform, as far as they may be of the registry at that host: each with what
        uses it. ``asked``: what was asked for other stacks already, and for this one afterwards.

        Raises a ``HybridError`` when it cannot be told: nothing may be removed then.
        """
        return iter(())

    def findings(self) -> list[Finding]:
        """What of this machine and of the platform is missing, for ``hybrid doctor``."""
        return []

    def monthly_cost(self) -> Estimate | None:
        """By list prices, or a team's own, from the stack's file alone; None: there are none for it."""
        return None

    def without_prices(self) -> tuple[str, str]:
        """Why there is no ``monthly_cost``, and what to do: two sentences for an error."""
        kind = self.stack.who.settings.agent.kind
        return f"Its agent is of kind {kind}, for which there are none.", "name a stack that stands in a cloud."
