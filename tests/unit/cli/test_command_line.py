"""The command line's manner: help, exit codes, errors, JSON. What the commands do is shown by the emulated tier."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from hybrid import errors
from hybrid.cli import main
from hybrid.cli.runs import _tags

pytestmark = pytest.mark.unit


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run the console script's entry in an empty checkout."""
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))
    monkeypatch.delenv("DAGSTER_CLOUD_API_TOKEN", raising=False)
    (tmp_path / "stacks").mkdir()

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["hybrid", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = capfd.readouterr()
        code = ended.value.code
        return Answer(0 if code is None else int(code), out, err)

    return run


def commands() -> list[str]:
    """Every command, those of groups as ``locations pin``."""
    group = typer.main.get_command(main.app)
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [name] if inner is None else [f"{name} {each}" for each in inner]
    return sorted(found)


@pytest.mark.parametrize("command", commands())
def test_each_command_s_help_has_an_example(command: str, call: Callable[..., Answer]) -> None:
    answer = call(*command.split(), "--help")
    assert answer.code == 0
    assert "Example" in answer.out, "people copy an example before they read options"


def test_no_command_is_help_not_an_error(call: Callable[..., Answer]) -> None:
    answer = call()
    assert answer.code == 0
    assert "status" in answer.out


def test_an_unknown_command_is_a_wrong_call(call: Callable[..., Answer]) -> None:
    assert call("nonesuch").code == 2


def test_a_stack_without_a_file_is_named(call: Callable[..., Answer]) -> None:
    answer = call("status", "staging")
    assert answer.code == 3
    assert "Pulumi.staging.yaml" in answer.err, "the file to write is named"
    assert "Traceback" not in answer.err, "a wrong name is not a fault of ours"


def test_a_name_that_leaves_the_folder_is_refused(call: Callable[..., Answer]) -> None:
    assert call("status", "../../etc/passwd").code == 3, "a stack's name becomes part of paths"


def test_status_of_what_is_not_standing_is_an_answer(call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "stacks" / "Pulumi.local.yaml").write_text("config: {}\n")
    answer = call("status", "local", "--json")
    assert answer.code == 7, "scripts wait on this code"
    assert json.loads(answer.out)["agents"] == [], "standard output is one JSON document, notices go elsewhere"


def test_an_organization_s_stack_is_not_changed_without_agreement(call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text("config:\n  hybrid:organization: acme\n")
    answer = call("down", "prod")
    assert answer.code == 2
    assert "--yes" in answer.err, "how to agree is said"


def test_a_missing_api_token_names_the_variable(call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text("config:\n  hybrid:organization: acme\n")
    answer = call("status", "prod")
    assert answer.code == 3
    assert "DAGSTER_CLOUD_API_TOKEN" in answer.err


def test_a_token_in_an_error_is_not_printed(
    call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planted = "agent:acme:" + "c" * 32

    def fail(*_: object, **__: object) -> None:
        raise errors.DagsterPlusError(f"refused {planted}", why=f"because {planted}", next_step=f"try {planted}")

    monkeypatch.setattr("hybrid.cli.status.print_standing", fail)
    answer = call("status")
    assert answer.code == 8
    assert planted not in answer.err + answer.out, "whatever raised it, a token does not reach the terminal"


def test_exit_codes_are_those_of_the_page() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    for kind in (errors.HybridError, *errors.HybridError.__subclasses__(), errors.StackBusyError, errors.StoppedError):
        assert f"| {kind.exit_code} |" in page, f"{kind.__name__} ends with a code that docs/cli.md does not have"


def test_a_tag_keeps_what_follows_its_first_equals_sign() -> None:
    assert _tags(["a=b=c"]) == {"a": "b=c"}, "values may hold an equals sign"


@pytest.mark.parametrize("wrong", [("--config", "{"), ("--config", "[]"), ("--tag", "novalue")])
def test_a_wrong_option_of_run_is_told_before_anything_is_asked(
    wrong: tuple[str, str], call: Callable[..., Answer], tmp_path: Path
) -> None:
    (tmp_path / "stacks" / "Pulumi.local.yaml").write_text("config: {}\n")
    answer = call("run", "local", "hello", "greet", *wrong)
    assert answer.code == 2, answer.err


@pytest.mark.parametrize("command", [each for each in commands() if each.startswith("switch ")])
def test_each_command_of_a_switch_has_its_row_on_the_page_of_commands(command: str) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"| `hybrid {command} " in page


_ENDING = """
import os, signal, sys
from hybrid.cli import main
from hybrid.errors import UsageError

def pressed(*ignored, **also):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):  # the interpreter hears of it between two of these
        pass

signal.signal(signal.SIGINT, signal.default_int_handler)
{case}
main.script()
"""


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("main.run = lambda: pressed() or sys.exit(0)", 130),
        ("import hybrid.cli.console as console; console.show_error = pressed\n"
         "def app(standalone_mode): raise UsageError('No.')\nmain.app = app", 130),
        ("main.run = lambda: None; sys.stdout.flush = pressed", 0),
    ],
    ids=["in a command", "while its error is told", "when all is done"],
)  # fmt: skip
def test_ctrl_c_at_the_very_end_is_no_death_by_the_signal(case: str, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _ENDING.replace("{case}", case)], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == code, f"-2 is the raw signal, as if nobody had been asked: {ended.stderr}"
    assert "Traceback" not in ended.stderr
