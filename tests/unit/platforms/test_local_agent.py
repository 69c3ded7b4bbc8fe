"""The agent's process of a local stack, stopped from outside its update; the process is a real one under its
supervisor, though no agent."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from hybrid.engine.stack import Stack
from hybrid.platforms.choice import commands_of
from hybrid.provider import family, process_folder
from hybrid.provider.process import DEFINITION
from hybrid.provider.process_spec import ProcessSpec
from hybrid.provider.properties import reveal
from hybrid.provider.resource import Call
from hybrid.provider.running import Running
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit


class Silent:
    def status(self, text: str) -> None: ...

    info = warning = status


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.here.yaml").write_text("config: {}\n")
    return Workspace(tmp_path)


def test_the_process_ends_with_its_supervisor_and_a_second_time_is_no_error(workspace: Workspace) -> None:
    directory = workspace.of_stack("here").process("agent")
    process_folder.prepare(directory)
    inputs = {
        "name": "agent",
        "directory": str(directory),
        "command": [sys.executable, "-c", "import signal; signal.pause()"],
    }
    spec = ProcessSpec.of(reveal(DEFINITION.complete(inputs)))
    running = Running(spec, Call(Silent(), threading.Event()))
    running.restarted()
    agent = commands_of(Stack.read(workspace, "here"))
    try:
        assert running.status() is not None
        assert agent.stop_agent()
        assert running.status() is None, "the next update finds it gone, and starts it"
        assert family.program(directory) is None
        assert agent.stop_agent()
    finally:
        running.stop()
