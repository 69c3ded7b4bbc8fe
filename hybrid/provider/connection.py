"""A resource's way to Dagster+: its ``connection`` input, and the clients, shared by all calls of this process.

``hybrid.plus`` is imported when the first client is opened: a plugin whose resources need none starts without it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import HybridError
from hybrid.provider.definition import Property, Record, Text
from hybrid.provider.resource import Call, Report

if TYPE_CHECKING:
    from hybrid.plus import PlusClient, PlusError, Wait
    from hybrid.redaction import Token


def connection_record(*replacing: str) -> Record:
    """The input's type; another value of a ``replacing`` part means another thing in Dagster+."""
    parts = {
        "url": Property(Text(), "the API's base address, without a deployment: https://ORGANIZATION.dagster.cloud"),
        "organization": Property(Text(), "the organization's name"),
        "deployment": Property(Text(), "the full deployment's name"),
        "tokenFile": Property(
            Text(absolute=True),
            "absolute path of the embedded Dagster+'s token; without it DAGSTER_CLOUD_API_TOKEN is used",
            required=False,
        ),
    }
    return Record(
        "Connection",
        "Where Dagster+'s API is. Its token is never an input.",
        {name: part.replacing() if name in replacing else part for name, part in parts.items()},
    )


@dataclass(frozen=True)
class Connection:
    """The ``connection`` of complete, plain inputs."""

    url: str
    organization: str
    deployment: str
    token_file: Path | None

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Connection:
        given = inputs["connection"]
        token_file = given.get("tokenFile")
        return cls(
            url=given["url"],
            organization=given["organization"],
            deployment=given["deployment"],
            token_file=Path(token_file) if token_file else None,
        )

    def described(self) -> dict[str, str]:
        """As the input."""
        parts = {"url": self.url, "organization": self.organization, "deployment": self.deployment}
        return {**parts, "tokenFile": str(self.token_file)} if self.token_file else parts

    @property
    def is_embedded(self) -> bool:
        """Whether it is the embedded Dagster+ of this machine, which goes up and down with the stack."""
        return self.token_file is not None

    @property
    def is_nearby(self) -> bool:
        """Whether it is on this machine, where it may be asked often."""
        from hybrid.plus import Endpoint

        return Endpoint(self.url, self.organization, self.deployment).is_loopback

    @property
    def is_wiped(self) -> bool:
        """Whether the embedded Dagster+'s data is gone, and with it all that was ever made in it."""
        return self.token_file is not None and not self.token_file.exists()

    def is_down(self, error: PlusError) -> bool:
        """Whether ``error`` only says that the embedded Dagster+ is down or hung. Of Dagster+ itself it
        never does: what cannot be reached there is not known to be gone."""
        from hybrid.plus import PlusUnreachable

        return self.is_embedded and isinstance(error, PlusUnreachable) and error.reason in {"refused", "timeout"}


@dataclass
class Reach:
    """Whether the embedded Dagster+ was down when it was asked."""

    down: bool = False


@contextmanager
def reaching(connection: Connection, call: Call, otherwise: str) -> Iterator[Reach]:
    """Lets an embedded Dagster+ that is down pass with a warning that says ``otherwise``; see ``is_down``."""
    from hybrid.plus import PlusError

    reach = Reach()
    try:
        yield reach
    except PlusError as error:
        if not connection.is_down(error):
            raise
        reach.down = True
        call.report.warning(f"the embedded Dagster+ does not run; {otherwise}")


def imported(id: str, resource: str, form: str) -> tuple[Connection, str]:
    """The connection, and what follows it, of an id that a person gave to ``pulumi import``.

    ``form`` names what follows ORGANIZATION/DEPLOYMENT ("NAME"), and is empty when nothing does.
    Raises ``HybridError`` when the id is not so.
    """
    organization, _, rest = id.partition("/")
    deployment, _, name = rest.partition("/")
    if not (organization and deployment) or bool(name) is not bool(form):
        wanted = "/".join(filter(None, ("ORGANIZATION", "DEPLOYMENT", form)))
        example = "/".join(filter(None, ("my-team", "prod", form.lower())))
        raise HybridError(
            f"'{id}' is no id of a {resource}.",
            why=f"It is {wanted}.",
            next_step=f"pulumi import dagsterhybrid:index:{resource} hello {example} "
            f"(DAGSTER_CLOUD_API_TOKEN must be set, and {_IMPORT_URL} for the European region or an own address).",
        )
    url = os.environ.get(_IMPORT_URL) or f"https://{organization}.dagster.cloud"
    return Connection(url.rstrip("/"), organization, deployment, None), name


# its first answer may wait until Dagster is imported; on a loaded machine that takes ten seconds
_ANSWER_SECONDS: Final = 20.0


_IMPORT_URL: Final = "DAGSTER_CLOUD_URL"
_waiting: Final[ContextVar[Report | None]] = ContextVar("_waiting", default=None)


class Clients:
    """One client for each connection and token, opened when first asked for."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str, str, Token, bool], PlusClient] = {}
        self._lock = threading.Lock()

    def client(self, connection: Connection, call: Call, *, patient: bool = True) -> PlusClient:
        """The client. Raises ``SettingsError`` when the token is missing or malformed or the address cannot be.

        ``patient`` waits for a Dagster+ that is away for a moment and reports that; without it the embedded one, which
        may well be down on purpose, is asked once. The token is read each time: that of a new emulator is another one.
        """
        from hybrid.plus import Endpoint, Patience, PlusClient, api_token

        token = api_token(os.environ, connection.token_file)
        patience = (
            Patience()
            if patient or not connection.is_embedded
            else Patience(attempts=1, maintenance_seconds=0, answer_seconds=_ANSWER_SECONDS)
        )
        key = (connection.url, connection.organization, connection.deployment, token, patient)
        _waiting.set(call.report)
        with self._lock:
            if key not in self._clients:
                endpoint = Endpoint(connection.url, connection.organization, connection.deployment)
                self._clients[key] = PlusClient(
                    endpoint, token, patience=patience, on_wait=_tell, cancel=call.cancelled
                )
            return self._clients[key]


def _tell(wait: Wait) -> None:
    report = _waiting.get()
    if report is not None:
        report.status(f"{wait.reason} Trying again in {wait.seconds:.0f} s.")
