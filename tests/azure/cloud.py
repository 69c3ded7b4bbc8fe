"""A subscription of the stand-in for Azure (tests/standins/azure) whose container apps and jobs are containers of the
tests' Docker engine: ``azure_cloud`` of ``tests.azure.fixtures``."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from agent.azure_names import AzureNames
from hybrid.azure.ground import PROVIDERS
from tests.containers.home import Home
from tests.containers.lab_engine import LabEngine
from tests.containers.stand import Containers
from tests.standins.azure.acr import DOMAIN, Upstream
from tests.standins.azure.arm import FakeArm
from tests.standins.azure.containers import APP_LABEL, NETWORK, DockerContainer, Wanted, bind_of
from tests.standins.azure.resources import TENANT
from tests.standins.azure.rights import ACCESS_ADMINISTRATOR, CONTRIBUTOR, Rights
from tests.standins.azure.server import NAMES, AzureStandIn
from tests.standins.azure.things import Place, Thing

SUBSCRIPTION: Final = "00000000-1111-2222-3333-444444444444"
LOCATION: Final = "westeurope"
PERSON: Final = "the-person"
"""The client id of whoever runs `hybrid`: Contributor and User Access Administrator of the subscription."""
_BUNDLE: Final = "/etc/azure-lab/ca.pem"
_DOCKER: Final = """\
#!/bin/sh
# STAND-IN: Azure's registry is out of the engine's reach. What is pushed there goes to the tests' registry.
case "$1 $2" in
"push {host}/"*)
    grep -q '"{host}"' "$DOCKER_CONFIG/config.json" || {{ echo 'unauthorized: authentication required' >&2; exit 1; }}
    there={there}${{2#{host}/}}
    "{docker}" tag "$2" "$there" || exit 1
    DOCKER_CONFIG={config} exec "{docker}" push "$there"
    ;;
esac
exec "{docker}" "$@"
"""
_HOSTS: Final = 'mount --bind "$0" /etc/hosts && exec "$@"'


class AzureCloud:
    """``with AzureCloud(containers, folder, group_id) as cloud:`` has an empty subscription until the block ends. It
    leaves nothing on the engine; those of other sessions are waited for."""

    gateway: Final = NETWORK.gateway
    """The address by which containers reach this machine."""

    def __init__(self, containers: Containers, folder: Path, names: AzureNames) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.rights = Rights({PERSON: [*CONTRIBUTOR.at(_SCOPE), *ACCESS_ADMINISTRATOR.at(_SCOPE)]})
        self._docker = containers
        self._names = names
        self._upstream = Upstream(containers.registry, f"azure{os.getpid()}", containers.username, containers.password)
        self._held = ExitStack()

    def __enter__(self) -> AzureCloud:
        lock = self._held.enter_context((Home.of(dict(os.environ)).path / "azure-lab").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = LabEngine(NETWORK, self._docker.environ)
        engine.clear()
        self._held.callback(engine.clear)
        engine.make_network()
        place = Place(self._names.group_id)
        azure = AzureStandIn(self.folder / "azure", place, self.rights, self._start, self.gateway, self._upstream)
        self._azure = self._held.enter_context(azure)
        self.arm.others = _subscription()
        self._hosts = self.folder / "hosts"
        registry = f"{self._names.registry}{DOMAIN}"
        self._hosts.write_text(f"{Path('/etc/hosts').read_text()}\n{self.gateway} {' '.join([*NAMES, registry])}\n")
        self._write_docker(registry)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @property
    def arm(self) -> FakeArm:
        return self._azure.arm

    @property
    def before(self) -> tuple[str, ...]:
        """In front of a command on this machine, so that Azure's names lead here."""
        return ("unshare", "--mount", "/bin/sh", "-c", _HOSTS, str(self._hosts))

    @property
    def environment(self) -> dict[str, str]:
        """For commands on this machine: the login of ``PERSON``, as a build machine in Azure has one."""
        bundle = str(self._azure.bundle)
        given = {"AZURE_CLIENT_ID": PERSON, "REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle}
        return {**self._azure.login(PERSON), **given}

    @property
    def docker(self) -> Path:
        """The folder of a docker command that can push to the stack's registry."""
        return self.folder / "bin"

    def containers(self, of: str = "") -> list[str]:
        """The names of containers that run, all or those of one app or job."""
        wanted = f"label={APP_LABEL}={of}" if of else f"label={NETWORK.label}"
        return self._docker.names(wanted, "status=running")

    def printed(self, of: str) -> str:
        """By all containers that an app or a job has had."""
        return "\n".join(text for each in self.arm.printed.get(of, ()) for _, text in each.lines())

    def _write_docker(self, registry: str) -> None:
        there = self._upstream.reference(f"{registry}/")
        text = _DOCKER.format(
            host=registry, there=there, docker=self._docker.docker, config=self._docker.environ["DOCKER_CONFIG"]
        )
        self.docker.mkdir(exist_ok=True)
        (self.docker / "docker").write_text(text)
        (self.docker / "docker").chmod(0o755)

    def _start(self, thing: Thing, name: str) -> DockerContainer:
        properties = thing.body["properties"]
        template, ingress = properties["template"], (properties.get("configuration") or {}).get("ingress")
        (spec,) = template["containers"]
        clients = [self.arm.resources.client_of(each) for each in thing.identities]
        wanted = Wanted(
            name=name,
            of=thing.name,
            spec={**spec, "image": self._upstream.reference(str(spec["image"]))},
            environment={
                "CONTAINER_APP_NAME": thing.name,
                "REQUESTS_CA_BUNDLE": _BUNDLE,
                **self._azure.login(*clients),
                **{each["name"]: _value(each, thing) for each in spec.get("env") or ()},
            },
            names=[self.arm.fqdn(thing.name)] if ingress else [],
            port=ingress["targetPort"] if ingress else None,
            grace=template.get("terminationGracePeriodSeconds"),
            hosts=dict.fromkeys(NAMES, self.gateway),
            binds=[bind_of(self._azure.bundle, _BUNDLE)],
        )
        ours = str(wanted.spec["image"]).startswith(f"{self._docker.registry}/")
        login = {"username": self._docker.username, "password": self._docker.password}
        return DockerContainer(wanted, self._docker.environ, login if ours else None)


_SCOPE: Final = f"/subscriptions/{SUBSCRIPTION}"


def _subscription() -> dict[str, Any]:
    """What Azure says of a subscription in which nothing is in the way."""
    app = {"resourceType": "managedEnvironments", "locations": ["West Europe"]}
    providers = [{"namespace": name, "registrationState": "Registered", "resourceTypes": [app]} for name in PROVIDERS]
    return {
        _SCOPE: {"subscriptionId": SUBSCRIPTION, "tenantId": TENANT},
        f"{_SCOPE}/providers": {"value": providers},
        f"{_SCOPE}/providers/microsoft.app/locations/{LOCATION}/usages": {
            "value": [{"name": {"value": "ManagedEnvironmentCount"}, "currentValue": 0, "limit": 15}]
        },
    }


def _value(variable: dict[str, Any], thing: Thing) -> str:
    return thing.secrets[variable["secretRef"]] if "secretRef" in variable else str(variable.get("value") or "")
