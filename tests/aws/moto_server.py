"""moto as a server of its own: an AWS account whose calls can be read afterwards."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from tests.ports import free_port

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
_START_SECONDS: Final = 60
_READING: Final = ("Describe", "Get", "List", "Head", "Lookup", "BatchGet", "AssumeRole")


@dataclass(frozen=True)
class Call:
    """One request to AWS, as its operation or, where a service has none in the request, its method and path."""

    service: str
    operation: str

    @property
    def reads(self) -> bool:
        """Whether it leaves everything as it is."""
        return self.operation.startswith((*_READING, "GET ", "HEAD "))


class Moto:
    """A running server. ``log`` is where what it prints goes."""

    module: ClassVar[str] = "tests.aws.moto_process"
    """What runs as its process."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        """``host`` is where it listens; containers reach 0.0.0.0 by their gateway."""
        self._folder = folder
        self._recording = folder / "requests"
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        settings = {
            "MOTO_RECORDER_FILEPATH": str(self._recording),
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
            "MOTO_ACCOUNT_ID": ACCOUNT,
            "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self.module, "--host", host, "--port", str(port)],
                cwd=folder,
                env={**{key: value for key, value in os.environ.items() if not key.startswith("AWS_")}, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to take this for AWS: endpoint, keys that mean nothing, region."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: Any) -> Any:
        """A client of boto3's."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def reset(self) -> None:
        """Make the account empty."""
        self._post("/moto-api/reset")

    @contextmanager
    def recorded(self) -> Iterator[list[Call]]:
        """The calls while the block runs; they are in the list after it."""
        calls: list[Call] = []
        self._recording.write_text("")
        self._post("/moto-api/recorder/start-recording")
        try:
            yield calls
        finally:
            self._post("/moto-api/recorder/stop-recording")
            calls += [_call(json.loads(line)) for line in self._recording.read_text().splitlines()]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.endpoint}/moto-api/", timeout=5).close()  # noqa: S310 - of this machine
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"moto did not start:\n{(self._folder / 'log').read_text(errors='replace')}")

    def _post(self, path: str) -> None:
        request = urllib.request.Request(self.endpoint + path, method="POST")  # noqa: S310 - of this machine
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def _call(entry: dict[str, Any]) -> Call:
    headers = {name.lower(): value for name, value in entry["headers"].items()}
    body = base64.b64decode(entry["body"]).decode(errors="replace") if entry["body_encoded"] else entry["body"] or ""
    scope = headers.get("authorization", "").split("Credential=")[-1].split("/")
    service = scope[3] if len(scope) > 3 else ""
    if target := headers.get("x-amz-target"):
        return Call(service, target.rpartition(".")[2])
    if action := urllib.parse.parse_qs(body).get("Action"):
        return Call(service, action[0])
    return Call(service, f"{entry['method']} {urllib.parse.urlsplit(entry['url']).path}")
