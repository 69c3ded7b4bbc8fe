"""Where a resource about ECS looks: its inputs, the doors to AWS that all resources of an update share, and pauses that
keep the person informed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hybrid.provider.definition import Failure, Property, Text
from hybrid.provider.properties import UNKNOWN, Properties

if TYPE_CHECKING:
    from hybrid.aws.session import Aws

REGION: Final = Property(Text(), "the region, as in eu-central-1")
ACCOUNT: Final = Property(Text(), "the account's twelve digits; credentials of another one are refused")
CLUSTER: Final = Property(Text(), "the cluster's name")
OF_AGENT: Final[Mapping[str, Property]] = {
    "region": REGION,
    "account": ACCOUNT,
    "cluster": CLUSTER,
    "service": Property(Text(), "the name of the agent's service"),
    "stack": Property(Text(), "the value of the tag dagster-hybrid/stack on what the agent makes"),
}
"""What ``AgentReady`` takes as ``place`` of the platform ``ecs``."""


class Doors:
    """The ways to AWS, one for each region and account. Credentials are found as the AWS tools find them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], Aws] = {}

    def to(self, inputs: Mapping[str, Any]) -> Aws:
        """The door for inputs with ``region`` and ``account``. It checks the account before it is first used."""
        from hybrid.aws.session import Aws

        key = str(inputs["region"]), str(inputs["account"])
        with self._lock:
            if key not in self._open:
                self._open[key] = Aws(*key)
            return self._open[key]


def wrong_account(inputs: Properties) -> list[Failure]:
    """For ``check``: an account that is none."""
    from hybrid.aws.session import is_account

    account = inputs.get("account")
    if account in {None, UNKNOWN} or not isinstance(account, str) or is_account(account):
        return []
    return [Failure("account", f"must be twelve digits, not '{account}'")]
