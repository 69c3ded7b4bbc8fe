"""The command line and the work around Dagster+: the engine, the provider, the emulator, the toolchain.

The modules that lie directly here (``errors``, ``redaction``, ``workspace``) are what every room may use.
"""

__version__ = "0.1.0"
