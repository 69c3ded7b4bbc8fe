"""A location's folder and a stand-in for its interpreter: a script that says what Dagster would."""

from __future__ import annotations

import json
import stat

import pytest

from hybrid.delivery.gate.definitions import LoadedCode


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "locations" / "hello"
    (made / "src" / "hello").mkdir(parents=True)
    (made / "src" / "hello" / "__init__.py").touch()
    (made / "src" / "hello" / "definitions.py").touch()
    return made


@pytest.fixture
def python(tmp_path):
    """The interpreter of an environment that holds nothing but it."""
    path = tmp_path / "environment" / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\nexit 99\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def code(folder, python):
    return LoadedCode("hello", folder, python, folder / "src", {"module_name": "hello.definitions"})


@pytest.fixture
def dagster(python):
    """Put a `dagster` beside the interpreter that runs the given lines of shell."""

    def put(*lines):
        script = python.with_name("dagster")
        script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    return put


@pytest.fixture
def logged(dagster, tmp_path):
    """Let `dagster` log these events and end with ``code``."""

    def put(*events, code=1):
        file = tmp_path / "said"
        file.write_text("\n".join(json.dumps({"event": event, "logger": "dagster"}) for event in events))
        dagster(f"cat {file}", f"exit {code}")

    return put


@pytest.fixture
def installed(python):
    """Put distributions into the environment."""

    def put(**versions):
        for name, version in versions.items():
            info = python.parents[1] / "lib/python3.11/site-packages" / f"{name}-{version}.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (python.parents[1] / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.7\n")

    return put
