"""The tools that must be on a machine: found, downloaded or built, and kept in one place."""

from __future__ import annotations

from hybrid.toolchain.provision import ensure_pulumi
from hybrid.toolchain.pulumi import MINIMUM_PULUMI, Pulumi, find_pulumi

__all__ = ["MINIMUM_PULUMI", "Pulumi", "ensure_pulumi", "find_pulumi"]
