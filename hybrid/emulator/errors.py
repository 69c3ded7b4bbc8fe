"""What can keep the embedded Dagster+ from serving, in words."""

from __future__ import annotations

from hybrid.errors import HybridError


class EmulatorError(HybridError):
    """The embedded Dagster+ cannot start, or cannot go on."""


class AddressError(EmulatorError):
    """The address or port cannot be listened on."""


class DataFolderError(EmulatorError):
    """The data folder cannot be used: missing rights, no space, held by another process, of a newer version."""


class RuntimeNotLoadedError(EmulatorError):
    """Dagster itself is not loaded (yet), and the request cannot be answered without it."""
