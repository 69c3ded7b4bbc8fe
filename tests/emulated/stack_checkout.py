"""A checkout whose stack `prod` has its agent somewhere else than on this machine, between an organization that an
emulator serves and the tests' registry: what such stacks have in common for tests, whatever the platform."""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from hybrid.plus import Endpoint, PlusClient, api_token
from tests.containers.stand import Containers
from tests.emulated.checkout import Answer, Checkout, until
from tests.emulated.served import ServedOrganization

STACK: Final = "prod"
_SECONDS: Final = 900.0

# It loads on this machine, where the gate looks at it, and not in its container.
_BROKEN: Final = """
from pathlib import Path

if Path("/opt/dagster/app").exists():
    raise RuntimeError("only in the container")
"""


class StackCheckout(ABC):
    """Locations ``alpha`` and ``beta``, both of ``CODE``. ``settings`` are the stack file's, without ``hybrid:``."""

    CODE: ClassVar[str]
    requirements: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, root: Path, plus: ServedOrganization, containers: Containers, plugin: str, **environment: str
    ) -> None:
        """``plugin``: a folder to put before PATH. ``environment``: the login to the platform."""
        self.plus, self.containers = plus, containers
        self.checkout = Checkout(root / "checkout", shared=root / "environments")
        self.file = self.checkout.root / "stacks" / f"Pulumi.{STACK}.yaml"
        for name in ("alpha", "beta"):
            self.code(name, "one")
        self._environment = {**environment, **self._variables(plugin)}

    @abstractmethod
    def trouble(self) -> str:
        """What may explain a failure."""

    # what a person changes

    def code(self, name: str, version: str, *, broken: bool = False) -> None:
        """``broken``: only in its container."""
        text = f"{_BROKEN if broken else ''}{self.CODE}".replace("{version}", version)
        self.checkout.location(name, text, requirements=self.requirements)

    @property
    def settings(self) -> dict[str, Any]:
        """As the stack file has them now: commands write it, too."""
        config = yaml.safe_load(self.file.read_text(encoding="utf-8"))["config"]
        return {key.removeprefix("hybrid:"): value for key, value in config.items() if key.startswith("hybrid:")}

    @settings.setter
    def settings(self, settings: Mapping[str, Any]) -> None:
        kept = yaml.safe_load(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        others = {key: value for key, value in kept.get("config", {}).items() if not key.startswith("hybrid:")}
        kept["config"] = {**others, **{f"hybrid:{key}": value for key, value in settings.items()}}
        self.file.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")

    def change(self, part: str, **values: Any) -> None:
        """Set keys of a part (such as ``agent``); None takes one out."""
        settings = self.settings
        changed = {**settings.get(part, {}), **values}
        settings[part] = {key: value for key, value in changed.items() if value is not None}
        self.settings = settings

    def settled(self, gateway: str, **platform: Any) -> dict[str, Any]:
        """Settings of a stack whose containers reach this machine by ``gateway``; ``platform``: its own."""
        images: dict[str, Any] = {"pythonImage": self.containers.python_image}
        if self.containers.certificates:
            images["certificates"] = str(self.containers.certificates)
        return {
            "organization": "acme",
            "url": f"http://{gateway}:{self.plus.port}",
            "deployment": STACK,
            **platform,
            "images": images,
        }

    # what a person runs

    def hybrid(self, *arguments: str, timeout: float = _SECONDS, **more: str) -> Answer:
        return self.checkout.hybrid(*arguments, timeout=timeout, **{**self._environment, **more})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.checkout.start(*arguments, **self._environment)

    def up(self, *arguments: str) -> Answer:
        answer = self.hybrid("up", STACK, "--yes", *arguments)
        assert answer.code == 0, f"`hybrid up {STACK}` ended with {answer.code}:\n{answer.err}\n{self.trouble()}"
        return answer

    def status(self) -> dict[str, Any]:
        answer = self.hybrid("status", STACK, "--json")
        assert answer.out.startswith("{"), f"`hybrid status {STACK}` ended with {answer.code}:\n{answer.err}"
        return dict(answer.document)

    # what stands

    def dagster_plus(self) -> PlusClient:
        endpoint = Endpoint(url=self.plus.url, organization="acme", deployment=STACK)
        return PlusClient(endpoint, api_token({"DAGSTER_CLOUD_API_TOKEN": self.plus.token}, None))

    def tokens(self) -> dict[int, bool]:
        """The agent tokens by id: whether each is still good."""
        with self.dagster_plus() as client:
            return {token.id: not token.revoked for token in client.agent_tokens()}

    def images(self) -> dict[str, str]:
        """What Dagster+ says that each location is loaded from."""
        return {each["name"]: each["image"] for each in self.status()["locations"]}

    def until(self, condition: Any, *, seconds: float, what: str) -> Any:
        """As ``tests.emulated.checkout.until``; the failure says what happened last on the platform."""
        try:
            return until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.trouble()}") from error

    def destroy(self) -> None:
        self.hybrid("down", STACK, "--yes")
        self.checkout.destroy()

    def _variables(self, plugin: str) -> dict[str, str]:
        """What the shell has beyond the checkout's own. Not all of it: a HYBRID_ROOT would lead elsewhere."""
        environ = self.containers.environ
        docker = {name: value for name, value in environ.items() if name.startswith("DOCKER_")}
        given = {
            **docker,
            "DAGSTER_CLOUD_API_TOKEN": self.plus.token,
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PATH": os.pathsep.join([*([plugin] if plugin else []), environ["PATH"]]),
        }
        if plugin:  # the official one lives in Pulumi's home
            given["PULUMI_HOME"] = str(self.checkout.root / ".hybrid" / "pulumi-home")
        return given
