"""The program as a command serves it to Pulumi's CLI."""

from __future__ import annotations

import importlib.util
import threading

import pytest

from agent.spec import SPECS
from hybrid.engine import program

pytestmark = pytest.mark.unit


def test_what_the_program_will_want_is_loaded_while_the_engine_starts_and_its_errors_are_the_programs_to_tell() -> None:
    begun = threading.Event()

    def fails() -> None:
        begun.set()
        raise ModuleNotFoundError("an SDK that is not installed")

    with program.served(fails) as address:
        assert begun.wait(60), "nobody has asked for the program yet"
        assert address.startswith("127.0.0.1:"), "and it is served all the same"


@pytest.mark.parametrize("kind", SPECS)
def test_the_platform_of_each_kind_of_agent_is_the_module_of_its_name(kind: str) -> None:
    assert importlib.util.find_spec(f"stacks.{kind}"), "stacks.platforms.load imports it by that name"
