"""Fixtures of tests on the double of ECS."""

from __future__ import annotations

from tests.ecs.fixtures import ecs_agent_image, ecs_lab, ecs_location_image, pytest_report_header

__all__ = ["ecs_agent_image", "ecs_lab", "ecs_location_image", "pytest_report_header"]
