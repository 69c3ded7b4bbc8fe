"""What importing the package costs, as the modules that it brings along."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

HEAVY = {"dagster", "dagster_shared", "dagster_cloud", "dagster_cloud_cli", "httpx", "pulumi", "pydantic", "tenacity"}
LIST_MODULES = "import json, sys, hybrid.plus; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"


def test_importing_the_package_loads_nothing_heavy():
    listed = subprocess.run([sys.executable, "-c", LIST_MODULES], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(json.loads(listed.stdout)), "every `hybrid` command imports it, most never make a call"
