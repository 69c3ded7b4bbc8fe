"""`hybrid switch plan` at the command line: preview by default, files only as they were, the plan saved and bound."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hybrid.cli import main
from hybrid.switch.inspection import Inspection, inspected
from hybrid.switch.plan import Plan
from hybrid.switch.repository_scan import scan_repository
from tests.unit.switch.inspected import organization

pytestmark = pytest.mark.unit

STACK = """config:
  hybrid:organization: acme
  hybrid:agent: {kind: docker}
  hybrid:registry: {address: "r.example/acme"}
  hybrid:assetValues: {folder: /data}
"""
LEGACY = """locations:
  - location_name: quick
    code_source: {module_name: quick.definitions}
    build: {directory: quick}
  - location_name: docker
    code_source: {module_name: heavy.definitions}
    build: {directory: heavy}
"""
DEFS = "from dagster import Definitions, asset\n\n\n@asset\ndef raw(): ...\n\n\ndefs = Definitions(assets=[raw])\n"
ACTION = "dagster-io/dagster-cloud-action/actions/build_deploy_python_executable@v1"
WORKFLOW = f"on: push\njobs:\n  d:\n    steps:\n      - uses: {ACTION}\n"


@dataclass
class Answer:
    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "stacks/Pulumi.prod.yaml": STACK,
        "dagster_cloud.yaml": LEGACY,
        "quick/requirements.txt": "dagster-cloud\n",
        "quick/definitions.py": DEFS,
        "heavy/dagster_cloud_post_install.sh": "#!/bin/sh\ntrue\n",
        "heavy/requirements.txt": "dagster-cloud\n",
        ".github/workflows/serverless.yml": WORKFLOW,
    }
    for path, text in files.items():
        (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / path).write_text(text)
    return tmp_path / "root"


@pytest.fixture
def saved(root: Path) -> Path:
    file = root.parent / "inspection.json"
    found = inspected(organization(url="https://acme.dagster.cloud"), scan_repository(root))
    file.write_text(json.dumps(found.document()))
    return file


@pytest.fixture
def call(root: Path, saved: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.setenv("HYBRID_ROOT", str(root))
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str, inspection: Path = saved) -> Answer:
        given = ["hybrid", "switch", "plan", *arguments]
        monkeypatch.setattr(sys, "argv", given if "--help" in arguments else [*given, "--inspection", str(inspection)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = capfd.readouterr()
        return Answer(0 if ended.value.code is None else int(ended.value.code), out, err)

    return run


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_help_has_an_example(call: Call) -> None:
    assert "Examples" in call("--help").out


def test_a_preview_shows_files_and_steps_and_writes_nothing(call: Call, root: Path) -> None:
    before = tree(root)
    answer = call("prod")

    assert answer.code == 0, answer.err
    assert tree(root) == before
    for path in ("quick/Dockerfile", "heavy/Dockerfile", ".github/workflows/deploy.yml", "stacks/pipeline.yaml"):
        assert f"+++ {path}" in answer.out
    assert "+    hybrid" not in answer.out
    assert "ioManager: true" in answer.out
    assert "No Dockerfile yet, or not as it would be now: docker, quick." in answer.out
    assert "switch: change the agent type to HYBRID" in answer.out
    assert "Nothing is written without --write." in answer.err


def test_written_files_are_what_was_shown_and_a_second_time_there_is_nothing_to_write(call: Call, root: Path) -> None:
    before = tree(root)
    answer = call("prod", "--write", "--yes", "--executor", "in_process")

    assert answer.code == 0, answer.err
    now = tree(root)
    assert set(now) - set(before) >= {"quick/Dockerfile", "heavy/Dockerfile", "stacks/pipeline.yaml"}
    changed = {path for path in before if now[path] != before[path]}
    assert changed == {"stacks/Pulumi.prod.yaml", "quick/definitions.py"}, "and the old workflow is left"
    assert b"executor=in_process_executor" in now["quick/definitions.py"]
    assert "No Dockerfile yet" not in answer.out

    again = call("prod", "--write", "--yes", "--executor", "in_process")
    assert "Nothing to write." in again.err
    assert tree(root) == now


def test_what_somebody_edited_is_left_the_rest_is_written_and_the_end_says_so(call: Call, root: Path) -> None:
    call("prod", "--write", "--yes")
    mine = (root / "heavy/Dockerfile").read_text() + "RUN mine\n"
    (root / "heavy/Dockerfile").write_text(mine)
    (root / "quick/Dockerfile").unlink()
    answer = call("prod", "--write", "--yes")

    assert answer.code == 3
    assert "heavy/Dockerfile" in answer.err
    assert "-RUN mine" in answer.out, "what would be lost is shown"
    assert (root / "heavy/Dockerfile").read_text() == mine
    assert (root / "quick/Dockerfile").exists()


def test_without_anybody_to_ask_nothing_is_written(call: Call, root: Path) -> None:
    before = tree(root)
    answer = call("prod", "--write")
    assert answer.code == 2
    assert "--yes" in answer.err
    assert tree(root) == before


def test_a_plan_is_saved_and_printed_whole(call: Call, root: Path, saved: Path) -> None:
    file = root.parent / "plan.json"
    answer = call("prod", "--json", "--save", str(file), "--strategy", "at_once")

    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    plan = Plan.read(file)
    assert Plan.parse(document["plan"]) == plan
    state = Inspection.read(saved).organization
    assert state is not None
    plan.refuse_unless_of(state, stack="prod")
    assert plan.strategy.value == "at_once"
    assert {each["standing"] for each in document["files"]} == {"new", "edit"}
    assert file.stat().st_mode & 0o077 == 0


def test_an_inspection_of_another_organization_is_refused(call: Call, root: Path) -> None:
    other = root.parent / "other.json"
    other.write_text(json.dumps(inspected(organization(organization="other"), None).document()))
    answer = call("prod", inspection=other)
    assert answer.code == 2
    assert "of other" in answer.err
