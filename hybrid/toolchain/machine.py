"""The machine as the toolchain sees it: environment, folder for tools, commands, network. Tests give their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hybrid.redaction import redact
from hybrid.workspace import tools_folder


@dataclass(frozen=True)
class Answer:
    """How a command ended. ``output`` is standard output and error in the order they came, redacted."""

    code: int
    output: str

    @property
    def last_words(self) -> str:
        """The last lines that say something: where tools put the reason."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return "\n".join(lines[-4:]) or f"it ended with code {self.code} and said nothing"


class Runner(Protocol):
    """Runs a command to its end; never raises for a command that fails, is missing or takes too long."""

    def __call__(
        self, command: Sequence[str], environ: Mapping[str, str], *, folder: Path | None = None, seconds: float
    ) -> Answer: ...


def run_to_its_end(
    command: Sequence[str], environ: Mapping[str, str], *, folder: Path | None = None, seconds: float
) -> Answer:
    """Run ``command``. It has a session of its own, so that all it started ends with it: on Ctrl-C or out of time."""
    try:
        process = subprocess.Popen(
            command,
            env=dict(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return Answer(127, f"{command[0]}: {error.strerror or error}")
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _end_group(process.pid)
            return Answer(124, f"it took longer than {seconds:.0f} s")
        except BaseException:  # Ctrl-C included: nothing goes on behind the person's back
            _end_group(process.pid)
            raise
    return Answer(process.returncode, redact(output))


def _end_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def unreachable(url: str, seconds: float) -> str | None:
    """Why ``url`` does not answer within ``seconds``, all told; None when it does. Proxies are honoured.

    Looking a name up has no time limit of its own, so it is asked in a thread that is left behind when time is up.
    """
    verdict: list[str | None] = []
    question = threading.Thread(target=lambda: verdict.append(_refusal(url, seconds)), daemon=True)
    question.start()
    question.join(seconds)
    return verdict[0] if verdict else f"no answer within {seconds:.0f} s"


def _refusal(url: str, seconds: float) -> str | None:
    import urllib.error
    import urllib.request  # it takes longer to load than finding an installed tool takes

    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        return f"it answered {error.code} {error.reason}"
    except OSError as error:  # URLError is one, and so are TLS and socket errors
        return redact(str(getattr(error, "reason", error)))


@dataclass(frozen=True)
class Machine:
    """What the toolchain may touch. ``tools`` is where tools are kept."""

    environ: Mapping[str, str]
    tools: Path
    run: Runner = run_to_its_end
    unreachable: Callable[[str, float], str | None] = unreachable
    more_folders: tuple[Path, ...] = (Path("/usr/local/go/bin"),)
    """Searched after PATH: where a tool's own installer puts it without telling the shell."""

    @classmethod
    def this(cls) -> Machine:
        """The one that this process runs on."""
        return cls(environ=dict(os.environ), tools=tools_folder())

    def which(self, name: str) -> Path | None:
        """The executable of that name on PATH, or in ``more_folders``."""
        folders = [self.environ.get("PATH", ""), *map(str, self.more_folders)]
        found = shutil.which(name, path=os.pathsep.join(folder for folder in folders if folder))
        return Path(found) if found else None
