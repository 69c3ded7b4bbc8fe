"""The provider's process: found, started, called.

Source: https://github.com/hashicorp/go-plugin/blob/main/docs/internals.md; tfprotov5/tf5server of
github.com/hashicorp/terraform-plugin-go 0.31.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from tests.standins.aws.wire import CALLS, MESSAGES, PACKAGE, VERSION

VARIABLE: Final = "HYBRID_TERRAFORM_AWS_PROVIDER"
_PATTERN: Final = "terraform-provider-aws_v*"
_COOKIE: Final = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"  # says that Terraform starts it
_ERROR: Final = 1  # Diagnostic.Severity
_PR_SET_PDEATHSIG: Final = 1
_STOP_SECONDS: Final = 2.0
_LOGS: Final = ("TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER", "TF_LOG_SDK", "TF_LOG_SDK_PROTO", "TF_LOG_SDK_MUX")
_LAST_WORDS: Final = 2_000  # characters
_SIZES: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class TerraformError(Exception):
    """The provider answered with errors. ``problems``: the text and the path, in Terraform's names, of each."""

    def __init__(self, problems: Sequence[tuple[str, tuple[str | int, ...]]]) -> None:
        super().__init__("\n".join(text for text, _ in problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class Binary:
    """A provider's executable."""

    path: Path

    @property
    def version(self) -> str:
        """``terraform-provider-aws_v5.100.0_x5`` → ``5.100.0``."""
        return self.path.name.partition("_v")[2].partition("_")[0]


def find(environ: Mapping[str, str]) -> Binary | None:
    """The newest AWS provider in the folders that Terraform keeps plugins in, or the one that ``environ`` names."""
    if given := environ.get(VARIABLE):
        return Binary(Path(given)) if Path(given).is_file() else None
    found = [path for folder in _folders(environ) if folder.is_dir() for path in folder.glob(f"**/{_PATTERN}")]
    usable = [Binary(path) for path in found if os.access(path, os.X_OK) and path.is_file()]
    return max(usable, key=lambda each: [int(part) for part in each.version.split(".") if part.isdigit()], default=None)


def _folders(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME") or Path.home())
    if cache := environ.get("TF_PLUGIN_CACHE_DIR"):
        yield Path(cache)
    yield from (home / ".terraform.d" / "plugins", home / ".terraform.d" / "plugin-cache")
    yield from (home / ".local/share/terraform/plugins", Path("/usr/share/terraform/plugins"))
    yield from (Path("/usr/local/share/terraform/plugins"), Path("/opt/tf-plugins"))


class Terraform:
    """A provider that runs. It is started at once and waited for at the first call."""

    def __init__(self, binary: Binary, environ: Mapping[str, str]) -> None:
        settings = {
            "TF_PLUGIN_MAGIC_COOKIE": _COOKIE,
            "PLUGIN_PROTOCOL_VERSIONS": VERSION,
            **dict.fromkeys(_LOGS, "off"),
        }
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process; a pipe would keep the engine waiting
        self._process = subprocess.Popen(
            [str(binary.path)],
            env={**environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            preexec_fn=_dies_with_parent if sys.platform == "linux" else None,
        )
        self._channel: grpc.Channel | None = None
        self._lock = threading.Lock()

    def call(self, name: str, **fields: Any) -> Any:
        """The answer. Raises ``TerraformError`` when it holds errors."""
        answer = self.answer(name, **fields)
        if problems := errors(answer):
            raise TerraformError(problems)
        return answer

    def answer(self, name: str, **fields: Any) -> Any:
        """The answer, with whatever diagnostics it holds."""
        request, answer = (MESSAGES[message] for message in CALLS[name])
        call = self._open().unary_unary(
            f"/{PACKAGE}.Provider/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            return call(request(**fields), timeout=_STOP_SECONDS if name == "Stop" else None)
        except grpc.RpcError as error:
            told = f"HashiCorp's AWS provider did not answer {name}: {error.details()}"  # type: ignore[attr-defined]
            raise TerraformError([(f"{told}\n{self._last_words()}", ())]) from None

    def open(self) -> None:
        """Wait until it listens. Raises ``TerraformError`` when it does not come up."""
        self._open()

    def stop(self) -> None:
        """Ask it to break off what it does: long waits end with an error."""
        if self._channel is not None:
            try:
                self.answer("Stop")
            except TerraformError:
                return  # it has ended already, or it ends with this process

    def end(self) -> None:
        """End the process."""
        if self._channel is not None:
            self._channel.close()
        self._process.kill()  # it holds nothing that is worth a farewell
        self._process.wait()

    def _open(self) -> grpc.Channel:
        with self._lock:
            if self._channel is None:
                self._channel = grpc.insecure_channel(self._address(), options=_SIZES)
            return self._channel

    def _last_words(self) -> str:
        """What it wrote before it fell over, without its own log, in which there may be secrets."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("{"))[:_LAST_WORDS]

    def _address(self) -> str:
        stdout = self._process.stdout
        line = stdout.readline().decode().strip() if stdout else ""
        parts = line.split("|")
        if len(parts) < 5 or (parts[1], parts[4]) != (VERSION, "grpc"):
            told = f"HashiCorp's AWS provider did not start: it said {line!r}.\n{self._last_words()}"
            raise TerraformError([(told, ())])
        return parts[3] if parts[2] == "tcp" else f"unix:{parts[3]}"


def errors(answer: Any) -> list[tuple[str, tuple[str | int, ...]]]:
    """The errors of an answer, each with its path in Terraform's names."""
    return [(text(each), path(each.attribute)) for each in answer.diagnostics if each.severity == _ERROR]


def warnings(answer: Any) -> list[str]:
    """The warnings of an answer."""
    return [text(each) for each in answer.diagnostics if each.severity != _ERROR]


def text(diagnostic: Any) -> str:
    """A diagnostic's summary and, if it says more, its detail."""
    more = diagnostic.detail if diagnostic.detail != diagnostic.summary else ""
    return f"{diagnostic.summary}: {more}" if more else str(diagnostic.summary)


def path(given: Any) -> tuple[str | int, ...]:
    """The steps of an AttributePath: names, keys, numbers."""
    return tuple(step.attribute_name or step.element_key_string or step.element_key_int for step in given.steps)


def _dies_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
