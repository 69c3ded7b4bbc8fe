"""What a Serverless agent's process gets: its home folder, its environment and its token.

Rests on: ``client`` for the variables that only Serverless tasks have (dagster_cloud/serverless/io_manager.py,
dagster_cloud/pex/grpc/server) and for the configuration (dagster_cloud/instance, dagster_cloud/storage/client.py);
``invented`` that nothing else of this machine's environment is there, and the label.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.emulator.atomic import write_atomically
from hybrid.emulator.organization import Deployment, TokenRecord
from hybrid.emulator.organization.tokens import Tokens
from hybrid.emulator.serverless.options import SERVERLESS_AGENT
from hybrid.redaction import Token

_DESCRIPTION: Final = "Serverless agent"
PEX_STORE_VARIABLE: Final = "HYBRID_EMULATOR_DATA"
"""Where the launcher finds the data folder with the uploaded PEX files."""

_TOKEN_VARIABLE: Final = "DAGSTER_CLOUD_AGENT_TOKEN"  # noqa: S105
_INHERITED: Final = (
    ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
    + ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy")
    + ("HYBRID_PROCESS",)  # by which whoever started the emulator knows its processes
)


@dataclass(frozen=True)
class AgentHome:
    """The home folder of one deployment's Serverless agent, and what belongs to it."""

    deployment: Deployment
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "agent.log"

    def command(self) -> list[str]:
        """The agent as everybody runs it, with the ``dagster-cloud`` of our own environment."""
        return [str(_programs() / "dagster-cloud"), "agent", "run", str(self.folder)]

    def prepare(self, url: str) -> None:
        """Write the agent's configuration; ``url`` is ours."""
        document = json.dumps(_configuration(self.deployment.name, url, self.folder), indent=2)
        write_atomically(self.folder / "dagster.yaml", document.encode())  # JSON is YAML

    def environment(self, token: Token, data: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """All variables of the process; the token is nowhere else."""
        kept = {name: inherited[name] for name in _INHERITED if name in inherited}
        return kept | {
            "PATH": f"{_programs()}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
            "DAGSTER_HOME": str(self.folder),
            _TOKEN_VARIABLE: token.reveal(),
            "DAGSTER_DEFAULT_IO_MANAGER_MODULE": "dagster_cloud.serverless.io_manager",
            "DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE": "serverless_io_manager",
            "SERVERLESS_IO_MANAGER_USE_PRESIGNED_URL": "1",
            # There is no S3: the launcher lays the files out before they are looked for.
            "S3_PEX_DISABLED": "1",
            "LOCAL_PEX_FILES_DIR": str(self.folder / "pex-files"),
            "VENVS_ROOT": str(self.folder / "venvs"),
            "PEX_ROOT": str(self.folder / "pex-root"),  # which is emptied time and again
            PEX_STORE_VARIABLE: str(data),
        }

    def token(self, tokens: Tokens) -> tuple[TokenRecord, Token]:
        """The agent's token: the one in its folder if that is still good, or else a new one."""
        file, described = self.folder / "token", token_description(self.deployment.name)
        if file.exists():
            held = Token(file.read_text(encoding="utf-8").strip())
            record = tokens.verify(held.reveal())
            if record is not None and record.kind == "agent" and record.description == described:
                return record, held
        record, token = tokens.create("agent", described)
        write_atomically(file, f"{token.reveal()}\n".encode())
        return record, token

    def revoke(self, tokens: Tokens) -> None:
        """The agent is gone for good."""
        for record in tokens.all("agent"):
            if record.description == token_description(self.deployment.name) and not record.revoked:
                tokens.revoke(record.id)
        (self.folder / "token").unlink(missing_ok=True)


def token_description(deployment: str) -> str:
    """By which the token of a deployment's Serverless agent is known."""
    return f"{_DESCRIPTION} ({deployment})"


def is_serverless(record: TokenRecord) -> bool:
    """Whether it is the token of a Serverless agent that we made."""
    return (record.description or "").startswith(f"{_DESCRIPTION} (")


def _programs() -> Path:
    return Path(sys.executable).parent


def _configuration(deployment: str, url: str, folder: Path) -> dict[str, Any]:
    return {
        "instance_class": {"module": "dagster_cloud.instance", "class": "DagsterCloudAgentInstance"},
        "dagster_cloud_api": {
            "url": url,
            "agent_token": {"env": _TOKEN_VARIABLE},
            "agent_label": f"Serverless agent of {deployment} (embedded)",
            "deployments": [deployment],
            "branch_deployments": True,
        },
        "user_code_launcher": {
            "module": "hybrid.emulator.runtime.serverless_launcher",
            "class": SERVERLESS_AGENT,
        },
        "compute_logs": {
            "module": "dagster_cloud.storage.compute_logs",
            "class": "CloudComputeLogManager",
            "config": {"local_dir": str(folder / "compute_logs")},
        },
    }
