"""Serverless agents, kept running where the deployment's agent type wants one, and let go after the switch.

Rests on: ``schema`` for the agent type of a deployment; ``invented``: one agent a full deployment, how long it goes on
after the switch (``ServerlessOptions``), that whatever runs on it then ends with it, and that its token is revoked.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from hybrid.emulator.organization import Deployment, Organization
from hybrid.emulator.serverless.guardian import GENTLE_SECONDS
from hybrid.emulator.serverless.home import AgentHome, is_serverless, token_description

_LOOK_SECONDS: Final = 0.5
_STEADY_SECONDS: Final = 60.0
"""Who lives so long is restarted at once when it dies; others wait, twice as long each time."""
_LONGEST_WAIT_SECONDS: Final = 30.0
_KEPT_LOG_BYTES: Final = 10 * 1024 * 1024
_log = logging.getLogger(__name__)


@dataclass
class _Process:
    """A guardian with its agent. ``end_by``: when a gentle end has to be over (monotonic)."""

    guardian: subprocess.Popen[bytes]
    started_at: float
    end_by: float | None = None

    def ended(self) -> bool:
        """Whether the guardian is gone; whatever is left of its group goes too, before its number is free again."""
        number = self.guardian.pid
        if os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self.kill()
        return True

    def end_gently(self) -> None:
        if self.end_by is None:
            self.end_by = time.monotonic() + GENTLE_SECONDS + 2
            self._tell(b"e")

    def kill(self) -> None:
        """End the group at once and wait for the guardian."""
        with suppress(ProcessLookupError, PermissionError):  # nobody is left in it (macOS says the latter)
            os.killpg(self.guardian.pid, signal.SIGKILL)
        self.guardian.wait()
        if self.guardian.stdin is not None:
            self.guardian.stdin.close()

    def _tell(self, what: bytes) -> None:
        with suppress(BrokenPipeError):  # it ended meanwhile
            if self.guardian.stdin is not None:
                self.guardian.stdin.write(what)
                self.guardian.stdin.flush()


@dataclass
class _Post:
    """One deployment's agent, whether it runs or not. Times are monotonic."""

    home: AgentHome
    process: _Process | None = None
    not_before: float = 0.0
    wait: float = field(default=1.0)


class ServerlessAgents:
    """``start`` when we listen at ``url``, ``close`` at the end; between them a thread does the rest.

    That thread starts all processes and lives as long as we do. ``data`` is the data folder.
    """

    def __init__(
        self,
        organization: Organization,
        data: Path,
        url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._organization = organization
        self._data = data
        self._url = url
        self._options = organization.serverless
        self._clock = clock
        self._posts: dict[int, _Post] = {}
        self._changed = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._keep, name="serverless-agents", daemon=True)
        organization.deployments.when_changed(lambda _deployment: self._changed.set())
        organization.deployments.when_deleted(self._deleted)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End all agents at once."""
        self._closing = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def wants_agent(self, deployment: Deployment) -> bool:
        """Whether the Serverless agent is there for the deployment now: it is SERVERLESS, or was until just now."""
        if deployment.is_branch:
            return False
        if deployment.agent_type == "SERVERLESS":
            return True
        since = deployment.agent_type_since  # 0 for one that never was anything else
        return since > 0 and self._clock() < since + self._options.departure_seconds

    def _keep(self) -> None:
        self._revoke_left_over()
        while not self._closing:
            self._changed.clear()
            try:
                self._look()
            except Exception:
                _log.exception("The Serverless agents could not be looked after; trying again.")
            self._changed.wait(_LOOK_SECONDS)
        for post in self._posts.values():
            if post.process is not None:
                post.process.kill()

    def _wanted(self) -> dict[int, Deployment]:
        full = self._organization.deployments.full()
        return {deployment.id: deployment for deployment in full if self.wants_agent(deployment)}

    def _revoke_left_over(self) -> None:
        """Tokens of agents whose time was over while we were not there."""
        wanted = {token_description(deployment.name) for deployment in self._wanted().values()}
        for record in self._organization.tokens.all("agent"):
            if is_serverless(record) and record.description not in wanted and not record.revoked:
                self._organization.tokens.revoke(record.id)

    def _look(self) -> None:
        wanted = self._wanted()
        for number, deployment in wanted.items():
            if number not in self._posts:
                home = AgentHome(deployment, self._data / "serverless" / str(number))
                self._posts[number] = _Post(home)
            self._tend(self._posts[number])
        for number in [number for number in self._posts if number not in wanted]:
            self._let_go(number)

    def _tend(self, post: _Post) -> None:
        """See to it that its agent runs."""
        now = time.monotonic()
        if post.process is not None:
            if not post.process.ended():
                return
            lived = now - post.process.started_at
            post.wait = 1.0 if lived > _STEADY_SECONDS else min(post.wait * 2, _LONGEST_WAIT_SECONDS)
            post.not_before = now if lived > _STEADY_SECONDS else now + post.wait
            post.process = None
            _log.warning("The Serverless agent of %s ended; see %s", post.home.deployment.name, post.home.log)
        if now >= post.not_before:
            post.process = self._started(post.home)

    def _let_go(self, number: int) -> None:
        """The agent is not wanted any more: end it, and its token when it has ended."""
        post = self._posts[number]
        if post.process is not None:
            post.process.end_gently()
            if not post.process.ended():
                if post.process.end_by is not None and time.monotonic() < post.process.end_by:
                    return
                post.process.kill()
        post.home.revoke(self._organization.tokens)
        del self._posts[number]
        _log.info("The Serverless agent of %s is gone", post.home.deployment.name)

    def _started(self, home: AgentHome) -> _Process:
        home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.prepare(self._url)
        _, token = home.token(self._organization.tokens)
        with _log_file(home.log) as log:
            guardian = subprocess.Popen(
                [sys.executable, "-m", "hybrid.emulator.serverless.guardian", *home.command()],
                cwd=home.folder,
                env=home.environment(token, self._data),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _log.info("The Serverless agent of %s is started, process %s", home.deployment.name, guardian.pid)
        return _Process(guardian, time.monotonic())

    def _deleted(self, deployment: Deployment) -> None:
        """A deployment of the same name starts without the former one's values."""
        shutil.rmtree(self._data / "io_storage" / deployment.name, ignore_errors=True)
        self._changed.set()


def _log_file(path: Path) -> IO[bytes]:
    """The log to add to; a long one is put aside first."""
    if path.exists() and path.stat().st_size > _KEPT_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
