"""BuildKit's words with `--progress=plain`: progress, and why a build failed."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.build_output import BuildOutput

pytestmark = pytest.mark.unit

FAILED = """\
#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s
#5 [builder 1/2] FROM docker.io/library/python:3.12
#5 CACHED
#6 [builder 2/2] RUN make
{lines}
#6 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
------
 > [builder 2/2] RUN make:
------
ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
"""


def failure(lines, said=None):
    output = BuildOutput((said if said is not None else []).append)
    for line in FAILED.format(lines=lines).splitlines():
        output.take(line)
    return output.failure("ghcr.io/acme/x", "linux/arm64")


def test_a_failure_shows_its_step_and_the_last_thirty_lines_of_it():
    error = failure("\n".join(f"#6 0.{number:03} line {number}" for number in range(100)))

    assert "ghcr.io/acme/x could not be built for linux/arm64" in error.what
    lines = error.why.splitlines()
    assert lines[0] == "Step: [builder 2/2] RUN make"
    assert len(lines) == 31, "thirty, and the step"
    assert lines[1] == "line 71", "the newest ones"
    assert "line 99" in lines[-2]


def test_a_secret_that_a_step_prints_is_not_shown():
    token = "agent:acme:" + "0f" * 12

    assert token not in failure(f"#6 0.1 using {token}").sentence()


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("#6 0.1 write /x: no space left on device", "docker system df"),
        ("#6 0.1 exec /bin/sh: exec format error", "binfmt"),
        ("#6 0.1 pull access denied, repository does not exist", "docker login"),
        ("#6 0.1 SyntaxError", "correct what the step says"),
    ],
)
def test_the_next_step_fits_the_fault(line, advice):
    assert advice in failure(line).next_step


def test_steps_are_told_as_they_come_and_internal_ones_are_not(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    said = []
    failure("#6 0.1 x", said)

    assert said == ["[builder 1/2] FROM docker.io/library/python:3.12", "[builder 2/2] RUN make"]


def test_a_build_that_fails_before_its_first_step_shows_all_it_said():
    output = BuildOutput(lambda text: None)
    output.take("ERROR: failed to solve: dockerfile parse error on line 1: unknown instruction: FORM")

    assert "unknown instruction: FORM" in output.failure("x", "").sentence()


def test_a_step_that_comes_right_after_another_is_told_a_little_later(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    said = []
    output = BuildOutput(said.append)
    output.take("#5 [1/2] FROM x")
    output.take("#6 [2/2] RUN sleep 600")
    assert said == ["[1/2] FROM x"], "not each of many quick steps"
    now[0] += 1
    output.tell()

    assert said[-1] == "[2/2] RUN sleep 600", "the one that takes long is the one to know of"
