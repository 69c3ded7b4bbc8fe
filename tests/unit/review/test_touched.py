"""Which stacks a change touches. It proves what paths do; that git names them rightly is tested with git itself."""

from __future__ import annotations

import pytest

from hybrid.review.touched import StackPlace, stack_of_file, touched

pytestmark = pytest.mark.unit

PROD = StackPlace("prod", "prod", ("locations/hello", "locations/sales"))
STAGING = StackPlace("staging", "staging", ("locations/hello", "../shared/code"))


def names(*changed: str) -> list[str]:
    return [each.stack for each in touched(changed, [PROD, STAGING])]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("stacks/Pulumi.prod.yaml", ["prod"]),
        ("stacks/Pulumi.other.yaml", []),
        ("stacks/pipeline.yaml", []),
        ("stacks/ecs.py", ["prod", "staging"]),
        ("agent/ecs.py", ["prod", "staging"]),
        ("infra/bucket.py", ["prod", "staging"]),
        ("policies/rules.py", ["prod", "staging"]),
        ("hybrid/provider/agent_ready.py", ["prod", "staging"]),
        ("hybrid/cli/main.py", []),
        ("hybrid/emulator/server.py", []),
        ("hybrid/review/markdown.py", []),
        ("requirements.lock", ["prod", "staging"]),
        ("Pulumi.yaml", ["prod", "staging"]),
        ("README.md", []),
        ("docs/ci.md", []),
        ("tests/unit/test_x.py", []),
        ("locations/hello/src/hello/defs.py", ["prod", "staging"]),
        ("locations/sales/pyproject.toml", ["prod"]),
        ("locations/nobody/x.py", []),
        ("locations/hello2/x.py", []),
        ("locations/hello/build.staging.yaml", ["staging"]),
        ("locations/hello/container_context.prod.yaml", ["prod"]),
        ("locations/hello/build.yaml", ["prod", "staging"]),
        ("locations/hello/src/build.staging.yaml", ["prod", "staging"]),
        ("../shared/code/x.py", ["staging"]),
    ],
)
def test_a_file_touches_the_stacks_that_it_can_have_an_effect_on(path: str, expected: list[str]) -> None:
    assert names(path) == expected, f"{path} touches these and no others"


def test_the_first_files_are_named_as_the_reason() -> None:
    (found,) = touched([f"locations/sales/{number}.py" for number in range(30)], [PROD])
    assert found.because == tuple(f"locations/sales/{number}.py" for number in range(10)), "ten say enough"


@pytest.mark.parametrize(
    ("path", "stack"),
    [("stacks/Pulumi.prod.yaml", "prod"), ("stacks/x/Pulumi.prod.yaml", None), ("stacks/Pulumi..yaml", None)],
)
def test_a_stack_file_is_known_by_its_path(path: str, stack: str | None) -> None:
    assert stack_of_file(path) == stack
