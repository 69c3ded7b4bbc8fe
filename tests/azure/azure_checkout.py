"""A checkout whose stack `prod` is of kind ``azure``, in the subscription of ``tests.azure.cloud``: `hybrid up prod`
builds, pushes, and brings up the real agent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from agent.azure_names import AzureNames
from tests.azure.cloud import LOCATION, PERSON, SUBSCRIPTION, AzureCloud
from tests.containers.stand import Containers
from tests.emulated.served import ServedOrganization
from tests.emulated.stack_checkout import STACK, StackCheckout
from tests.standins.azure.rights import Decision
from tests.standins.azure.things import Thing

_CPU = 2  # as many as the machine has: what a stack has by default takes minutes to import Dagster here


class AzureCheckout(StackCheckout):
    """See the module. ``settings`` are the stack file's, without ``hybrid:``."""

    CODE: ClassVar[str] = """
import os
import time
import urllib.request

import dagster as dg

print(f"loaded with {os.environ.get('GREETING')} as {os.environ.get('AZURE_CLIENT_ID')}", flush=True)

@dg.op
def speak(context: dg.OpExecutionContext) -> None:
    header = {"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}
    asked = f"{os.environ['IDENTITY_ENDPOINT']}?resource=x&client_id={os.environ['AZURE_CLIENT_ID']}"
    with urllib.request.urlopen(urllib.request.Request(asked, headers=header)) as answer:
        context.log.info(f"version {version}: a token, {answer.status}")

@dg.job(executor_def=dg.in_process_executor)
def greeting() -> None:
    speak()

@dg.op
def fail() -> None:
    raise ValueError("this op fails by design")

@dg.job(executor_def=dg.in_process_executor)
def failing() -> None:
    fail()

@dg.op
def sleep() -> None:
    time.sleep(600)

@dg.job(executor_def=dg.in_process_executor)
def sleeping() -> None:
    sleep()

defs = dg.Definitions(jobs=[greeting, failing, sleeping])
"""

    def __init__(
        self, root: Path, cloud: AzureCloud, plus: ServedOrganization, containers: Containers, image: str, plugin: str
    ) -> None:
        path = os.pathsep.join(part for part in (str(cloud.docker), plugin) if part)
        super().__init__(root, plus, containers, path, **cloud.environment)
        self.cloud = cloud
        self.names = AzureNames.of(STACK, SUBSCRIPTION, LOCATION)
        self.checkout.before = cloud.before
        self.settings = self.settled(
            cloud.gateway,
            azure={"subscription": SUBSCRIPTION, "location": LOCATION},
            agent={
                "kind": "azure",
                "image": image,
                "cpu": _CPU,
                "serverCpu": _CPU,
                "runCpu": _CPU,
                "startupTimeoutSeconds": 60,
                "environment": {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.2", "GREETING": "hello"},
            },
        )

    # what stands

    def agents(self) -> list[str]:
        """The agent's containers that run, by the names of its revisions."""
        return self.cloud.containers(self.names.agent_app)

    def servers(self) -> dict[str, set[str]]:
        """The apps of code servers by location, as their tags tell it."""
        found: dict[str, set[str]] = {}
        for thing in self.cloud.arm.named("containerApps"):
            if location := thing.body["tags"].get("dagster-location"):
                found.setdefault(location, set()).add(thing.name)
        return found

    def job_of(self, run: str) -> Thing | None:
        return next((one for one in self.cloud.arm.named("jobs") if one.body["tags"]["dagster-run-id"] == run), None)

    def client_of(self, what: str) -> str:
        """The client id of the identity of the agent or of code."""
        return self.cloud.arm.resources.client_of(self.names.identity_id(what))

    def decisions(self, *who: str) -> list[Decision]:
        return [each for each in self.cloud.rights.decisions if each.who in who]

    def writes(self, since: int = 0) -> list[str]:
        """What people changed in Azure: the agent goes on with its own."""
        return [
            f"{each.action} {each.on}"
            for each in self.cloud.rights.decisions[since:]
            if each.who == PERSON and each.action.rpartition("/")[2] in ("write", "delete")
        ]

    def trouble(self) -> str:
        denied = [f"{each.who}: {each.action} on {each.on}" for each in self.cloud.rights.denied]
        faults = [f"{name}: {one.fault}" for name, all_ in self.cloud.arm.printed.items() for one in all_ if one.fault]
        log = self.cloud.printed(self.names.agent_app)[-5000:]
        parts = ["Denied:", *denied[-5:], "Unknown:", *self.cloud.arm.unknown[-5:], "Faults:", *faults[-5:]]
        return "\n".join([*parts, "The agent's log:", log])
