"""What BuildKit prints with ``--progress=plain``: its steps as they come, and why a build failed."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from hybrid.delivery.images.errors import BuildFailed
from hybrid.redaction import redact

_STEP: Final = re.compile(r"#(\d+) (\[(?!internal\])[^\]]+\] .+)")
_SAID: Final = re.compile(r"#(\d+) (?:\d+\.\d+ )?(.*)")
_FAILED: Final = re.compile(r"#(\d+) ERROR:? ?(.*)")
_KEPT: Final = 30
_PAUSE: Final = 0.2  # seconds between two lines of progress
_LONGEST: Final = 120

_FULL: Final = ("no space left on device", "disk quota exceeded")
_FOREIGN: Final = ("exec format error", "exec user process caused: exec format")
_NO_BASE: Final = (
    "failed to resolve source metadata",
    "pull access denied",
    "failed to do request",
    "manifest unknown",
)


class BuildOutput:
    """Takes the lines of one build. ``say`` hears of each step, five times a second at most."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said_at = 0.0
        self._unsaid: str | None = None
        self._steps: dict[str, str] = {}
        self._lines: dict[str, deque[str]] = {}
        self._all: deque[str] = deque(maxlen=_KEPT)
        self._failed: str | None = None

    def take(self, line: str) -> None:
        """One line."""
        if line.strip():
            self._all.append(line)
        failed = _FAILED.match(line)
        if failed is not None:
            self._failed = self._failed or failed[1]
        step = _STEP.fullmatch(line)
        if step is not None and step[1] not in self._steps:
            self._steps[step[1]] = step[2]
            self._unsaid = step[2]
        else:
            said = _SAID.match(line)
            if said is not None and said[1] in self._steps and said[2]:
                self._lines.setdefault(said[1], deque(maxlen=_KEPT)).append(said[2])
        self.tell()

    def tell(self) -> None:
        """Say the newest step, once the pause is over; to be called now and then, also while no line comes."""
        now = time.monotonic()
        if self._unsaid is not None and now - self._said_at >= _PAUSE:
            self._said_at = now
            self._say(redact(self._unsaid)[:_LONGEST])
            self._unsaid = None

    def failure(self, repository: str, platform: str) -> BuildFailed:
        """Why it failed: the step, its last 30 lines, and what to do."""
        step = self._steps.get(self._failed or "")
        lines = list(self._lines.get(self._failed or "", ())) or list(self._all)
        text = redact("\n".join([*([f"Step: {step}"] if step else []), *lines]))
        where = f" for {platform}" if platform else ""
        return BuildFailed(f"The image {repository} could not be built{where}.", why=text, next_step=_advice(text))


def _advice(text: str) -> str:
    lowered = text.lower()
    if any(words in lowered for words in _FULL):
        return (
            "the engine's disk is full: `docker system df` says of what, `docker builder prune` frees the build cache."
        )
    if any(words in lowered for words in _FOREIGN):
        return (
            "this engine cannot run programs of that platform. Emulation gives it that: "
            "`docker run --privileged --rm tonistiigi/binfmt --install all`, or the package qemu-user-static."
        )
    if any(words in lowered for words in _NO_BASE):
        return "an image that the Dockerfile starts from cannot be pulled: look at its name, and at `docker login`."
    return "correct what the step says, and run the command again: steps that were done are not done again."
