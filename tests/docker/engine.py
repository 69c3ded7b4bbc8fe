"""A Docker agent as the stack makes it, by hand: the same files, variables and mounts, without Pulumi around them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from agent import docker as component
from agent.docker import DockerAgentArgs
from agent.docker_spec import DockerAgentSpec
from hybrid.provider.container_sweep import STACK_LABEL

ROOT = Path(__file__).resolve().parents[2]

# The agent's own image has all that a location needs, so that no second one is downloaded; it runs as nobody's user.
LOCATION_DOCKERFILE = """\
ARG AGENT
FROM ${AGENT}
ENTRYPOINT []
HEALTHCHECK NONE
COPY shop.py /opt/shop/shop.py
WORKDIR /opt/shop
USER 10001:10001
"""


@dataclass
class Engine:
    """The docker command of the test's engine."""

    environ: Mapping[str, str]

    def run(self, *arguments: str, text: str | None = None, check: bool = True, seconds: float = 300) -> str:
        done = subprocess.run(
            ["docker", *arguments],
            env={**self.environ, "DOCKER_BUILDKIT": "1"},
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {(done.stdout + done.stderr)[-3000:]}"
        return done.stdout.strip()

    def names(self, *filters: str) -> set[str]:
        conditions = [word for one in filters for word in ("--filter", one)]
        return set(self.run("ps", "--all", "--format", "{{.Names}}", *conditions).split())

    def inspected(self, container: str) -> dict[str, Any]:
        (found,) = json.loads(self.run("inspect", container))
        return dict(found)

    def built(self, reference: str, context: Path, *more: str) -> str:
        """Build and push; the image by digest."""
        self.run("build", "--tag", reference, *more, str(context), seconds=600)
        self.run("push", reference)
        return self.run("inspect", "--format", "{{index .RepoDigests 0}}", reference)


@dataclass
class StandingAgent:
    """An agent's container with its network and volume, and the end of all that."""

    engine: Engine
    args: DockerAgentArgs
    token: str
    container: str = ""
    others: list[str] = field(default_factory=list)

    def start(self, image: str, folder: Path) -> None:
        args, run = self.args, self.engine.run
        run("network", "create", "--label", f"{STACK_LABEL}={args.stack}", args.network)
        run("volume", "create", "--label", f"{STACK_LABEL}={args.stack}", args.volume)
        self.container = run("create", "--name", f"hybrid-{args.stack}-agent", *self._options(), image)
        self._put(folder, "dagster.yaml", component._dagster_yaml(args), f"{component.HOME}/dagster.yaml")
        (folder / "run").mkdir(exist_ok=True)
        secrets = folder / "run" / "secrets"
        secrets.mkdir(exist_ok=True)
        (secrets / Path(component.TOKEN_FILE).name).write_text(self.token)
        run("cp", str(secrets), f"{self.container}:/run/")
        run("start", self.container)

    def log(self) -> str:
        done = subprocess.run(
            ["docker", "logs", self.container], env=dict(self.engine.environ), capture_output=True, text=True
        )
        return done.stdout + done.stderr

    def destroy(self) -> None:
        run = self.engine.run
        left = self.engine.run("ps", "-aq", "--filter", f"label={STACK_LABEL}={self.args.stack}", check=False).split()
        left += self.engine.run("ps", "-aq", "--filter", f"network={self.args.network}", check=False).split()
        if left:
            run("rm", "--force", "--volumes", *sorted(set(left)), check=False)
        run("network", "rm", self.args.network, check=False)
        run("volume", "rm", self.args.volume, check=False)

    def _options(self) -> Sequence[str]:
        spec, args = self.args.spec, self.args
        words = ["--network", args.network, "--label", f"{STACK_LABEL}={args.stack}", "--restart", spec.restart]
        words += ["--volume", f"{spec.socket}:/var/run/docker.sock", "--volume", f"{args.volume}:{component.STORAGE}"]
        words += ["--volume", f"{spec.registry_credentials}:/run/docker-login:ro"]
        for name, value in component._environment(args).items():
            words += ["--env", f"{name}={value}"]
        return words

    def _put(self, folder: Path, name: str, text: str, target: str) -> None:
        (folder / name).write_text(text)
        self.engine.run("cp", str(folder / name), f"{self.container}:{target}")


def agent_args(stack: str, url: str, environ: Mapping[str, str], **settings: Any) -> DockerAgentArgs:
    """Of an agent that uses the engine and the login of ``environ``, and polls faster than one of a team."""
    socket = environ["DOCKER_HOST"].removeprefix("unix://")
    spec = DockerAgentSpec.model_validate(
        {"socket": socket, "registryCredentials": environ["DOCKER_CONFIG"], "startupTimeoutSeconds": 60, **settings}
    )
    return DockerAgentArgs(
        spec=spec,
        stack=stack,
        label=f"hybrid-{stack}",
        agent_url=url,
        deployment="prod",
        token=pulumi.Output.secret("unused"),
        image="unused",
        environment={"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.2"},
    )
