"""What tests of every kind share."""

from __future__ import annotations

pytest_plugins = ["tests.containers.fixtures", "tests.aws.fixtures", "tests.ecs.fixtures"]
