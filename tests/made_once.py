"""What costs much to make and is the same for every test, made once a process: a plugin of pytest.

Measured on 2026-11-30, of CPU each time: the tree of all commands for a command line in the test's own process 0.15 s,
trusted authorities for each client of httpx 0.02 s, models of AWS's services for each session of boto3 0.05 to 0.4 s,
images of machines for each account that moto makes up 0.3 s.

Only what the modules of tests have imported is changed: a test by itself waits for nothing that it does not need.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any


def pytest_configure() -> None:
    """Of this process, and of those that tests start."""
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")


def pytest_collection_finish() -> None:
    for name, change in {
        "typer": _keep_commands,
        "httpx": _keep_authorities,
        "botocore.session": _keep_service_models,
    }.items():
        if name in sys.modules:
            change()


def _keep_commands() -> None:
    import typer.main
    import typer.testing

    made: dict[int, tuple[typer.Typer, Any]] = {}
    own: Callable[[typer.Typer], Any] = typer.main.get_command

    def get_command(app: typer.Typer) -> Any:
        if id(app) not in made:
            made[id(app)] = (app, own(app))  # with the app, so that no other gets its number
        return made[id(app)][1]

    typer.main.get_command = get_command
    typer.testing._get_command = get_command  # type: ignore[attr-defined]


def _keep_authorities() -> None:
    import httpx._transports.default as transports

    made: dict[tuple[Any, ...], Any] = {}
    own = transports.create_ssl_context

    def create_ssl_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
        if verify is not True or cert is not None:
            return own(verify=verify, cert=cert, trust_env=trust_env)
        named = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")) if trust_env else ()
        if (trust_env, named) not in made:
            made[trust_env, named] = own(trust_env=trust_env)
        return made[trust_env, named]

    transports.create_ssl_context = create_ssl_context


def _keep_service_models() -> None:
    import botocore.session

    read: dict[str | None, dict[Any, Any]] = {}
    own = botocore.session.create_loader

    def create_loader(paths: str | None = None) -> Any:
        loader = own(paths)
        loader._cache = read.setdefault(paths, {})
        return loader

    botocore.session.create_loader = create_loader
