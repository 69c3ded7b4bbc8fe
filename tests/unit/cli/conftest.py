"""Fixtures for commands about a stack on ECS. Modules that define their own of a name use that."""

from __future__ import annotations

from tests.unit.cli.ecs_checkout import aws, call, file, plus, root, updates

__all__ = ["aws", "call", "file", "plus", "root", "updates"]
