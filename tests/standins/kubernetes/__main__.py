"""The plugin's process."""

from __future__ import annotations

from tests.standins.kubernetes.server import Provider
from tests.standins.plugin_process import serve

if __name__ == "__main__":
    serve(Provider)
