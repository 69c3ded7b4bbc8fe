"""What is made of Dagster's report on a location, by a stand-in that reports it. The real one is in the contracts."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace

import pytest

from hybrid.delivery.gate import user_code
from hybrid.delivery.gate.definitions import check_definitions

pytestmark = pytest.mark.unit

PASSED = "All code locations passed validation."
HIDDEN = "  [4 dagster system frames hidden, run with --verbose to see the full stack trace]\n"


def failed(text):
    return f"Validation failed for code location hello:\n\n{text}"


def frame(path, line, source):
    return f'  File "{path}", line {line}, in <module>\n    {source}\n'


def test_definitions_that_load_have_no_finding(code, logged):
    logged("Validation successful for code location hello.", PASSED, code=0)

    assert check_definitions(code) == []


def test_a_failure_names_the_last_line_of_the_location_and_no_frame_of_dagster(code, logged):
    definitions = code.folder / "src/hello/definitions.py"
    trace = frame(definitions, 7, "go()") + HIDDEN + frame("/usr/lib/site-packages/x.py", 3, "raise ValueError")
    logged("noise", failed(f"ValueError: no\n\nStack Trace:\n{trace}"))

    (found,) = check_definitions(code)

    assert found.severity == "error"
    assert found.where == "locations/hello/src/hello/definitions.py, line 7"
    assert found.what.startswith("`hello.definitions` does not load: ValueError: no\n")
    assert "hidden" not in found.what, "`--verbose` is no option of this command"
    assert "x.py" in found.what, "a library's frames may be what tells"


def test_a_chain_of_errors_is_headed_by_its_cause(code, logged):
    cause = "The above exception was caused by the following exception:\n"
    logged(failed(f"RuntimeError: outer\n\nStack Trace:\n{HIDDEN}\n{cause}OSError: inner\n\nStack Trace:\n{HIDDEN}"))

    (found,) = check_definitions(code)

    assert found.what == "`hello.definitions` does not load: OSError: inner\nRuntimeError: outer\nOSError: inner"


def test_a_secret_in_the_report_is_masked(code, logged):
    logged(failed("ValueError: postgres://me:swordfish@host refused agent:acme:0123456789abcdef0123456789abcdef"))

    (found,) = check_definitions(code)

    assert "[redacted]" in found.what
    assert "swordfish" not in found.what
    assert "0123456789abcdef" not in found.what


@pytest.mark.parametrize(
    ("module", "files", "said"),
    [
        ("helo", [], "write `hello`"),
        ("hello.defintions", [], "write `hello.definitions`"),
        ("nothing_like_it", [], "in locations/hello/src there is: hello"),
        ("root_package", ["root_package/__init__.py"], "`root_package` lies in locations/hello, and"),
        ("dbt", [], "[project] dependencies"),
    ],
)
def test_a_module_that_is_not_found_is_explained_by_what_is_there(code, logged, module, files, said):
    for file in files:
        (code.folder / file).parent.mkdir()
        (code.folder / file).touch()
    target = "hello.definitions" if module == "dbt" else f"{module}.definitions" if "." not in module else module
    logged(failed(f"ModuleNotFoundError: No module named '{module}'"))

    (found,) = check_definitions(replace(code, code_source={"module_name": target}))

    assert said in found.next_step


def test_a_variable_that_is_read_while_loading_is_named(code, logged):
    logged(failed(f"KeyError: 'WAREHOUSE'\n\nStack Trace:\n{frame('x.py', 1, 'os.environ[WAREHOUSE]')}"))

    (found,) = check_definitions(code)

    assert 'EnvVar("WAREHOUSE")' in found.next_step


def test_code_that_lacks_what_is_withheld_is_warned_about_alone(code, logged):
    logged(failed(f"KeyError: 'WAREHOUSE'\n\nStack Trace:\n{frame('x.py', 1, 'os.environ[WAREHOUSE]')}"))

    assert [finding.severity for finding in check_definitions(code)] == ["error"]
    (found,) = check_definitions(replace(code, withheld=frozenset({"WAREHOUSE"})))
    assert found.severity == "warning", "with the secret, which the agent has, it may load"


def test_the_code_gets_few_variables_and_none_of_the_shell_s(code, dagster, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_CLOUD_API_TOKEN", "agent:acme:0123456789abcdef")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("LANG", "C.UTF-8")
    dagster(f"env > {tmp_path}/env", f"pwd > {tmp_path}/pwd", f'cat "$DAGSTER_HOME/dagster.yaml" > {tmp_path}/home')

    check_definitions(replace(code, variables={"STAGE": "prod"}))

    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "HOME", "LANG", "DAGSTER_HOME", "STAGE"}
    assert (tmp_path / "pwd").read_text().strip() == str(code.folder), "files are read relative to the folder"
    assert "enabled: false" in (tmp_path / "home").read_text(), "a check calls nobody"


def test_what_is_loaded_is_said_as_the_agent_would(code, dagster, tmp_path):
    dagster(f'cp "$4" {tmp_path}/workspace', f'echo "$@" > {tmp_path}/arguments')

    check_definitions(replace(code, code_source={"package_name": "hello"}, attribute="defs"))

    import yaml

    (loaded,) = yaml.safe_load((tmp_path / "workspace").read_text())["load_from"]
    assert loaded == {
        "python_package": {
            "package_name": "hello",
            "working_directory": str(code.folder / "src"),
            "location_name": "hello",
            "attribute": "defs",
        }
    }


def test_code_that_does_not_end_is_stopped_with_all_that_it_started(code, dagster, tmp_path):
    dagster(f"sleep 300 & echo $! > {tmp_path}/child", "echo working", "wait")
    begun = time.monotonic()

    (found,) = check_definitions(code, seconds=0.5)

    assert time.monotonic() - begun < 20
    assert "was not loaded after" in found.what
    assert "working" in found.what
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        os.sched_yield()
    assert not _runs(child), "nothing of the location's code goes on"


def _runs(pid):
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(said.strip()) and not said.startswith("Z")


def test_a_person_who_stops_it_stops_the_code(code, dagster, tmp_path):
    dagster(f"echo $$ > {tmp_path}/pid", "exec sleep 300")

    def stop(seconds):
        if (tmp_path / "pid").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_definitions(code, wait=stop)

    assert not _runs(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["exit 0"], "ended the interpreter"),
        (["kill -9 $$"], "SIGKILL"),
        (["echo broken; exit 3"], "does not load.\nbroken"),
    ],
)
def test_an_end_without_a_report_is_told_for_what_it_is(code, dagster, lines, said):
    dagster(*lines)

    (found,) = check_definitions(code)

    assert found.severity == "error", "only Dagster's own word lets pass"
    assert said in found.what


def test_a_dagster_without_the_command_is_a_warning(code, dagster):
    dagster("echo \"Error: No such command 'validate'.\" >&2; exit 2")

    (found,) = check_definitions(code)

    assert found.severity == "warning"


def test_code_that_prints_without_end_fills_no_memory(code, dagster):
    dagster("head -c 30000000 /dev/zero | tr '\\0' 'x'", "exit 1")

    ended = user_code.run(
        [str(code.python.with_name("dagster"))], folder=code.folder, environment={"PATH": os.defpath}, seconds=60
    )

    assert len(ended.output) <= 256 * 1024
