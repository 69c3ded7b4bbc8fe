"""One folder for the manifests of all tests, so that dbt parses the project once."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkdtemp

os.environ.pop("DBT_PROJECT_MANIFESTS", None)
# before the location is imported, which parses the project
os.environ["HOME"] = mkdtemp(prefix="dbt_project-")
assert Path.home() == Path(os.environ["HOME"])


def pytest_unconfigure() -> None:
    import shutil

    shutil.rmtree(os.environ["HOME"], ignore_errors=True)
