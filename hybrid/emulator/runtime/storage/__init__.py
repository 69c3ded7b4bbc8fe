"""Dagster's own SQLite storages, with pooled connections, one writer at a time and events stored exactly once."""

from __future__ import annotations

from hybrid.emulator.runtime.storage.folder import Storages, open_storages

__all__ = ["Storages", "open_storages"]
