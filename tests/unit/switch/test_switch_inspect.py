"""``hybrid switch inspect``: its options, its files, its exit codes. Dagster+ is a stand-in."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hybrid.cli import switch_inspect
from hybrid.cli.main import app
from hybrid.errors import SettingsError, UsageError
from hybrid.switch.inspection import Inspection
from tests.unit.switch.inspected import organization

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
CODE = "import os\nimport dagster\nos.getenv('VENVS_ROOT')\n"

Call = Callable[..., Result]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.py").write_text(CODE)
    return folder


@pytest.fixture
def call(code: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setattr(switch_inspect, "_organization", lambda stack: organization())

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["switch", "inspect", "--repository", str(code), *arguments])

    return call


def test_a_stack_or_the_repository_alone_is_looked_at(call: Call) -> None:
    both, alone, neither = call("prod"), call("--offline"), call()
    assert both.stdout.startswith("acme/prod is on Serverless")
    assert alone.stdout.startswith("Repository: 1 files")
    assert isinstance(neither.exception, UsageError), "without a stack nobody says which organization"
    assert (both.exit_code, alone.exit_code) == (0, 0)


def test_offline_asks_nobody(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(stack: str) -> Any:
        raise AssertionError("it was asked")

    monkeypatch.setattr(switch_inspect, "_organization", refuse)
    assert call("prod", "--offline").exit_code == 0


def test_json_and_the_saved_file_are_the_same_and_can_be_read_again(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "inspection.json"
    answer = call("prod", "--json", "--save", str(file))
    assert answer.exit_code == 0, answer.output
    assert Inspection.read(file).document() == json.loads(answer.stdout)
    assert json.loads(answer.stdout)["fingerprint"] == organization().fingerprint()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, "it names much of an organization"
    assert list(tmp_path.glob(".*")) == [], "nothing is left beside it"


def test_the_page_is_written_whole(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert call("prod", "--html", str(file)).exit_code == 0
    assert file.read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("option", ["--save", "--html"])
def test_a_file_that_cannot_be_written_is_an_error_with_words(call: Call, tmp_path: Path, option: str) -> None:
    answer = call("prod", option, str(tmp_path / "absent" / "file"))
    assert isinstance(answer.exception, SettingsError)
    assert "cannot be written" in str(answer.exception)


@pytest.mark.parametrize(
    ("arguments", "ended"),
    [
        (("--offline", "--fail-on", "must"), 11),
        (("--offline", "--fail-on", "should"), 11),
        (("--offline",), 0),
        (("--offline", "--fail-on", "nonsense"), 2),
    ],
)
def test_it_fails_on_what_is_named_and_only_then(call: Call, arguments: tuple[str, ...], ended: int) -> None:
    assert call(*arguments).exit_code == ended


def test_what_weighs_less_than_named_does_not_fail_it(call: Call, code: Path) -> None:
    (code / "a.py").write_text("import dagster\nx = 'dagster/isolation'\n")
    assert call("--offline", "--fail-on", "should").exit_code == 0
    (code / "a.py").write_text("import os, dagster\nos.getenv('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI')\n")
    assert call("--offline", "--fail-on", "must").exit_code == 0
    assert call("--offline", "--fail-on", "should").exit_code == 11


def test_its_modules_load_none_of_the_heavy_libraries() -> None:
    heavy = "{'dagster', 'boto3', 'botocore', 'obstore', 'httpx', 'pydantic', 'pulumi'}"
    modules = "hybrid.switch.repository_scan, hybrid.switch.inspection_html, hybrid.switch.inspection_text"
    text = f"import sys, hybrid.cli.switch_inspect, hybrid.switch.organization, hybrid.switch.inspection, {modules}\n"
    text += f"print(sorted({heavy} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=environment, check=True)
    assert answer.stdout.strip() == "[]"
