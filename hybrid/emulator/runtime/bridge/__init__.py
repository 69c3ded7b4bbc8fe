"""Storage operations of agents, code servers and run workers, served by Dagster's own storages.

Rests on ``client``: the documents are those of dagster_cloud/storage/{runs,event_logs,schedules}/queries.py, the
shapes of what goes in and out are what the ``storage.py`` beside each makes and reads. ``storage.graphql`` is the
schema. An operation's function takes what the client sends, in snake case, and answers what the client reads.
"""

from __future__ import annotations

from hybrid.emulator.runtime.bridge.operation import Bridge
from hybrid.emulator.runtime.bridge.resolvers import storage_resolvers

__all__ = ["Bridge", "storage_resolvers"]
