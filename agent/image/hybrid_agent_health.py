"""Whether the agent of this container does its work, for Docker's health check: exit code 0, or 1 and a sentence.

It rests on two files that the agent itself writes (dagster_cloud/agent/dagster_cloud_agent.py and
workspace/user_code_launcher/user_code_launcher.py of 1.13.27): one when the code servers have first been started, one
at least every 15 s while its main loop turns. The loop stands still while Dagster+ does not answer. Standard library
only, and little of that: it is started every few seconds.
"""

import os
import sys
import time

LOADED = "finished_initial_reconciliation_sentinel.txt"
TURNS = "liveness_sentinel.txt"
LONGEST_TURN = 120.0  # seconds; one request that is repeated as often as the agent does it takes about 60


def trouble(folder: str, now: float) -> str | None:
    """What keeps the agent from working, or None."""
    if not os.path.exists(os.path.join(folder, LOADED)):  # noqa: PTH110, PTH118 - pathlib doubles the start-up
        return "the agent has not started its code servers yet"
    try:
        last = os.stat(os.path.join(folder, TURNS)).st_mtime  # noqa: PTH116, PTH118
    except OSError:
        return "the agent has not asked Dagster+ for work yet"
    if now - last > LONGEST_TURN:
        return f"the agent has not asked Dagster+ for work for {now - last:.0f} s"
    return None


if __name__ == "__main__":
    found = trouble(os.environ.get("DAGSTER_CLOUD_AGENT_SENTINEL_DIR", "/opt/dagster/sentinels"), time.time())
    if found:
        sys.exit(found)
