"""How containers of ours are known on an engine."""

from __future__ import annotations

from typing import Final

STACK_LABEL: Final = "io.dagster-hybrid.stack"
"""The stack of a container, a network or a volume; the agent's image has it, too
(agent/image/hybrid_docker_launcher.py)."""
