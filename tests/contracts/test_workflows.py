"""The workflows as two linters read them: actionlint, which knows GitHub's syntax and expressions, and zizmor, which
knows what is unsafe. Whether GitHub runs them as meant, only GitHub can show.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid.workflows.github import github_files
from hybrid.workflows.pipeline import DeployedStack, Pipeline
from tests.contracts.actionlint import NoActionlint, actionlint, lint

pytestmark = pytest.mark.contracts

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = {
    "nothing": Pipeline(),
    "one": Pipeline("main", (DeployedStack("prod"),)),
    "everything": Pipeline(
        "release/1.x",
        (
            DeployedStack("staging", secrets=("WAREHOUSE_PASSWORD",)),
            DeployedStack("prod", approval=True, secrets=("WAREHOUSE_PASSWORD", "GITHUB_TOKEN")),
        ),
        branch_stack="staging",
        branch_secrets=("PIP_TOKEN", "GITHUB_TOKEN"),
    ),
}
UNSAFE = """\
name: unsafe
on: pull_request_target
jobs:
  build:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: echo "${{ github.event.pull_request.title }}"
"""
WRONG = """\
name: wrong
on: pull_request
jobs:
  build:
    runs-on: ubuntu-24.04
    needs: nobody
    steps:
      - run: echo "${{ gihtub.sha }}"
"""


@pytest.fixture(params=[*PIPELINES, "this repository's"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    """The workflows of a pipeline, or those that are committed here."""
    if request.param not in PIPELINES:
        return sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    return written(github_files(PIPELINES[request.param]), tmp_path)


def written(texts: dict[str, str], folder: Path) -> list[Path]:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return [folder / path for path in texts]


def unsafe(files: list[Path]) -> list[str]:
    """What zizmor finds, its pedantic remarks too."""
    zizmor = Path(sys.executable).with_name("zizmor")
    done = subprocess.run(
        [str(zizmor), "--offline", "--no-online-audits", "--persona=pedantic", "--no-exit-codes", "--format=json", "--"]
        + [str(file) for file in files],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith(("GH_", "GITHUB_", "ZIZMOR_"))},
    )
    assert done.returncode == 0, done.stderr
    return [each["ident"] for each in json.loads(done.stdout)]


@pytest.fixture
def linter() -> None:
    try:
        actionlint()
    except NoActionlint as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.mark.usefixtures("linter")
def test_actionlint_finds_nothing(files: list[Path]) -> None:
    assert files, "there have to be workflows"
    assert lint(files) == "", "GitHub would not run it, or not as it reads"


def test_zizmor_finds_nothing(files: list[Path]) -> None:
    assert files, "there have to be workflows"
    assert unsafe(files) == [], "each finding is mended, not ignored"


@pytest.mark.usefixtures("linter")
def test_actionlint_sees_what_is_wrong(tmp_path: Path) -> None:
    found = lint(written({".github/workflows/wrong.yml": WRONG}, tmp_path))
    assert "nobody" in found, "a job that does not exist is needed"
    assert "gihtub" in found, "a name that does not exist is used"


def test_zizmor_sees_what_is_unsafe(tmp_path: Path) -> None:
    found = unsafe(written({".github/workflows/unsafe.yml": UNSAFE}, tmp_path))
    assert {"dangerous-triggers", "template-injection", "unpinned-uses", "excessive-permissions"} <= set(found), (
        "a linter that sees nothing proves nothing"
    )
