"""A checkout with a stack of kind ``ecs``, an account of moto's, an organization that an emulator serves, and a
registry with one image: all that `hybrid up prod` needs without AWS, Dagster+ or Docker."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from agent.ecs_names import STACK_TAG, EcsNames
from hybrid.engine import backend
from hybrid.plus import Endpoint, PlusClient, api_token
from hybrid.toolchain import Pulumi, find_pulumi
from hybrid.workspace import Workspace
from tests.aws.moto_server import ACCOUNT, REGION, Call, Moto
from tests.aws.program import Run
from tests.emulated.checkout import Answer, Checkout
from tests.emulated.served import ServedOrganization
from tests.ports import free_port

STACK: Final = "prod"
LABEL: Final = "hybrid-prod"
BASE: Final = "hybrid-prod"
NAMES: Final = EcsNames.of(STACK, ACCOUNT, REGION)
_SECONDS: Final = 600


class MotoWithTasks(Moto):
    """An account whose services get tasks. See ``moto_ecs_process``."""

    module: ClassVar[str] = "tests.aws.moto_ecs_process"

    @contextmanager
    def recorded(self) -> Iterator[list[Call]]:
        """The calls while the block runs, by botocore's names; they are in the list after it."""
        file = self._folder / "calls.jsonl"
        before = file.stat().st_size if file.exists() else 0
        calls: list[Call] = []
        try:
            yield calls
        finally:
            if file.exists():
                with file.open("rb") as lines:
                    lines.seek(before)
                    calls += [Call(**json.loads(line)) for line in lines]

    @contextmanager
    def refusing(self, *operations: str, code: str = "") -> Iterator[None]:
        """AWS refuses these while the block runs: ``iam:PutRolePolicy``, or with a text that the call has to contain
        ``iam:PutRolePolicy hybrid-prod-code``. ``code``: AWS's word for why, if not that it is not allowed."""
        self._refuse(dict.fromkeys(operations, code))
        try:
            yield
        finally:
            self._refuse({})

    @contextmanager
    def judging(self, role_arn: str) -> Iterator[list[str]]:
        """While the block runs, a call is let through if the policies that the role has in this account allow it, by
        tests/standins/iam. What was denied is in the list after it, with the reason."""
        denied: list[str] = []
        self._tell("role", role_arn)
        try:
            yield denied
        finally:
            denied += self._tell("role", None)

    @contextmanager
    def reading_only(self) -> Iterator[list[Call]]:
        """AWS refuses every write while the block runs. What was tried is in the list after it."""
        self._tell("reads-only", True)
        tried: list[Call] = []
        try:
            with self.recorded() as calls:
                yield tried
        finally:
            self._tell("reads-only", False)
            tried += [call for call in calls if not call.reads]

    def _refuse(self, operations: Mapping[str, str]) -> None:
        self._tell("refused", operations)

    def _tell(self, what: str, value: object) -> Any:
        request = urllib.request.Request(  # noqa: S310 - of this machine
            f"{self.endpoint}/hybrid-tests/{what}", data=json.dumps(value).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read())


class Images:
    """A registry that has whatever image it is asked for, for linux/amd64; nobody can push to it."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), _Manifests)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def pinned(self, repository: str) -> str:
        """An image by its digest."""
        return f"{self.address}/{repository}@{_digest(_INDEX)}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


_INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
_INDEX: Final = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": _INDEX_TYPE,
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": f"sha256:{'1' * 64}",
                "size": 7,
                "platform": {"os": "linux", "architecture": "amd64"},
            }
        ],
    }
).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class _Manifests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(_INDEX if "/manifests/" in self.path else b"{}")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", _INDEX_TYPE)
        self.send_header("Content-Length", str(len(body or _INDEX)))
        self.send_header("Docker-Content-Digest", _digest(_INDEX))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def default_settings(plus: ServedOrganization, images: Images) -> dict[str, Any]:
    """The stack `prod` with one location from an image, and one from a folder with an image of its own."""
    return {
        "organization": "acme",
        "url": plus.url,
        "deployment": "prod",
        "agent": {"kind": "ecs"},
        "aws": {"account": ACCOUNT, "region": REGION},
        "locations": ["alpha", {"name": "ready", "image": f"{images.address}/ready:1", "moduleName": "ready.defs"}],
        "pins": {"alpha": images.pinned("alpha")},
        "phase": "prepare",
    }


@dataclass
class EcsStack:
    """The checkout. ``settings`` are written before each command."""

    checkout: Checkout
    moto: MotoWithTasks
    plus: ServedOrganization
    plugin: str
    images: Images
    settings: dict[str, Any] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)
    """Variables of the shell; an empty text takes one away."""

    def __post_init__(self) -> None:
        self.checkout.location("alpha")
        self.reset()

    def reset(self) -> None:
        """The settings as they were."""
        self.settings = default_settings(self.plus, self.images)

    def change(self, part: str, **values: Any) -> None:
        """Change keys of a part (``agent``, ``aws``) of the settings; None takes one out."""
        changed = {**self.settings[part], **values}
        self.settings[part] = {key: value for key, value in changed.items() if value is not None}

    @property
    def file(self) -> Path:
        return self.checkout.root / "stacks" / f"Pulumi.{STACK}.yaml"

    def write(self) -> None:
        kept = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        kept["config"] = {f"hybrid:{key}": value for key, value in self.settings.items()}
        self.file.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")

    # commands

    @property
    def variables(self) -> dict[str, str]:
        """What a shell has beyond the checkout's own."""
        given = {
            **self.moto.environment,
            "DAGSTER_CLOUD_API_TOKEN": self.plus.token,
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PATH": os.pathsep.join([*([self.plugin] if self.plugin else []), os.environ["PATH"]]),
        }
        if self.plugin:  # the official one lives in Pulumi's home
            given["PULUMI_HOME"] = str(self.checkout.root / ".hybrid" / "pulumi-home")
        return {name: value for name, value in {**given, **self.more}.items() if value}

    def hybrid(self, *arguments: str) -> Answer:
        """As a person types it, once the settings are written."""
        self.write()
        return self.checkout.hybrid(*arguments, timeout=_SECONDS, **self.variables)

    def pulumi(self, command: str, *arguments: str) -> Run:
        """Pulumi's own CLI on this stack, with its events."""
        self.write()
        log = self.checkout.root / ".hybrid" / "events"
        log.unlink(missing_ok=True)
        yes = ["--yes", "--skip-preview"] if command in ("up", "destroy", "refresh") else []
        done = subprocess.run(
            [str(self.engine.executable), command, *arguments, *yes, "--stack", STACK, "--non-interactive"]
            + ["--color", "never", "--event-log", str(log)],
            cwd=self.checkout.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Run.ended(done.returncode, done.stdout, log)

    def state(self) -> str:
        """What the state holds, as `pulumi stack export` shows it: secrets are ciphertext."""
        done = subprocess.run(
            [str(self.engine.executable), "stack", "export", "--stack", STACK, "--non-interactive"],
            cwd=self.checkout.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    @property
    def engine(self) -> Pulumi:
        found = find_pulumi()
        assert found is not None, "there is no Pulumi here: run `hybrid tools` first"
        return found

    @property
    def environment(self) -> dict[str, str]:
        given = {**self.checkout.environment, **self.variables}
        workspace = Workspace(self.checkout.root)
        return {
            **backend.environment(workspace, STACK, self.engine, given),
            "PULUMI_DEBUG_COMMANDS": "true",
        }

    def listed(self) -> list[dict[str, Any]]:
        """What stands by the state, components aside; secrets as ciphertext."""
        listed = json.loads(self.state())["deployment"].get("resources") or ()
        return [each for each in listed if each["custom"]]

    def resources(self) -> dict[str, dict[str, Any]]:
        """What is listed, by name; of two types that share a name, the later one."""
        return {each["urn"].rpartition("::")[2]: each for each in self.listed()}

    # the account

    def client(self, service: str) -> Any:
        return self.moto.client(service)

    def service(self) -> dict[str, Any] | None:
        """The agent's service, while it is active."""
        found = self.client("ecs").describe_services(cluster=NAMES.cluster, services=[NAMES.service])["services"]
        return next((each for each in found if each["status"] == "ACTIVE"), None)

    def task_definition(self) -> dict[str, Any]:
        """That of the agent's service."""
        service = self.service()
        assert service is not None, "the agent's service must stand"
        asked = self.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"], include=["TAGS"])
        return {**asked["taskDefinition"], "tags": asked.get("tags", [])}

    def token(self) -> str:
        """What Secrets Manager holds."""
        return str(self.client("secretsmanager").get_secret_value(SecretId=NAMES.token_secret)["SecretString"])

    def dagster_plus(self) -> PlusClient:
        """The organization's API, as its administrator."""
        endpoint = Endpoint(url=self.plus.url, organization="acme", deployment="prod")
        return PlusClient(endpoint, api_token({"DAGSTER_CLOUD_API_TOKEN": self.plus.token}, None))

    def good_tokens(self) -> list[str]:
        """The agent tokens that Dagster+ takes, by their description."""
        with self.dagster_plus() as client:
            return [str(token.description) for token in client.agent_tokens() if not token.revoked]


__all__ = ["BASE", "LABEL", "NAMES", "STACK", "STACK_TAG", "EcsStack", "Images", "MotoWithTasks"]
