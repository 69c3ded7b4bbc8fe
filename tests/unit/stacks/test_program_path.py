"""The program as Pulumi's own executor runs it: with its folder before all others on the path of modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.emulated.checkout import REPOSITORY

pytestmark = pytest.mark.unit

# as pulumi-language-python-exec does; what the program is to stand up comes to an end at its first question
_RUN = """
import runpy, sys
import stacks.identity
sys.path.insert(0, "stacks")

class Enough(Exception): ...

def ended(*_):
    raise Enough

stacks.identity.StackIdentity.of = ended
try:
    runpy.run_path("stacks", run_name="__main__")
except Enough:
    pass
"""


@pytest.mark.parametrize("library", ["docker", "kubernetes"])
def test_a_platforms_module_is_not_taken_for_the_library_of_its_name(library: str) -> None:
    said = f"import {library}; print({library}.__file__)"
    path = f"import sys; sys.path.append({str(REPOSITORY)!r})\n"
    done = subprocess.run([sys.executable, "-c", f"{path}{_RUN}{said}"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout, f"`import {library}` finds {done.stdout.strip()}"
