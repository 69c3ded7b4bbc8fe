"""The command line's way to Dagster+: the stack's endpoint and token, short patience, and a word when it waits."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from hybrid.cli.console import note
from hybrid.errors import DagsterPlusError
from hybrid.plus import Patience, PlusClient, Wait, api_token

if TYPE_CHECKING:
    from stacks.identity import StackIdentity

# Someone sits before it: eight seconds of trying say as much as a minute does.
_PATIENCE = Patience(attempts=4, wait_seconds=8, connect_seconds=5)
# It is there at once or not at all; while it imports Dagster an answer may take some seconds.
_EMBEDDED = Patience(attempts=1, maintenance_seconds=0, connect_seconds=2, answer_seconds=20)


def client_of(who: StackIdentity, *, patient: bool = False, deployment: str | None = None) -> PlusClient:
    """A client for the stack's Dagster+; with ``deployment`` for another deployment of its organization.

    ``patient`` outlasts a Dagster+ that goes away for a minute, for what watches something that goes on meanwhile.
    Raises ``SettingsError`` when there is no usable API token, ``DagsterPlusError`` when the embedded Dagster+ does not
    stand.
    """
    if who.token_file is not None and not who.token_file.exists():
        raise DagsterPlusError(
            f"The embedded Dagster+ of the stack '{who.stack}' does not stand.",
            next_step=f"`hybrid up {who.stack}` stands it up.",
        )
    patience = Patience() if patient else _EMBEDDED if who.settings.embedded else _PATIENCE
    token = api_token(os.environ, who.token_file)
    endpoint = who.endpoint if deployment is None else replace(who.endpoint, deployment=deployment)
    return PlusClient(endpoint, token, patience=patience, on_wait=_say)


def _say(wait: Wait) -> None:
    note(f"{wait.reason.rstrip('.')}; trying again in {wait.seconds:.0f} s")
