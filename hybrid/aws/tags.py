"""Tags by which what belongs to a stack is told from what does not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

STACK_TAG: Final = "dagster-hybrid/stack"
"""On everything of a stack, be it made by Pulumi or by the agent. Its value is the stack's base name."""

AGENT_TAG: Final = "dagster/agent_id"
DEPLOYMENT_TAG: Final = "dagster/deployment_name"
LOCATION_TAG: Final = "dagster/location_name"
"""Letters, digits and hyphens of the location's name only: for people."""
LOCATION_HASH_TAG: Final = "dagster/location_hash"
RUN_TAG: Final = "dagster/run_id"
JOB_TAG: Final = "dagster/job_name"
# Set by the agent: dagster_cloud/workspace/ecs/launcher.py, dagster_aws/ecs/launcher.py.


def tags_of(listed: Iterable[Any] | None) -> Mapping[str, str]:
    """As a mapping what AWS lists as pairs, with ``key`` and ``value`` in small letters or not."""
    pairs = ({name.lower(): value for name, value in tag.items()} for tag in listed or ())
    return {str(pair["key"]): str(pair.get("value") or "") for pair in pairs if "key" in pair}


def location_hash(deployment: str, location: str) -> str:
    """The value of ``LOCATION_HASH_TAG`` (``deterministic_label_for_location`` in
    dagster_cloud/workspace/user_code_launcher/utils.py). ``deployment``: the name of the full or branch deployment."""
    return hashlib.sha1(f"{deployment}-{location}".encode(), usedforsecurity=False).hexdigest()
