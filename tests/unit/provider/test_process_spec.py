"""The files of a supervised process as text, read back by the parser of the supervisor that will read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from supervisor.options import ServerOptions

from hybrid.provider import systemd
from hybrid.provider.process import DEFINITION, Process
from hybrid.provider.process_folder import OWN_FILES
from hybrid.provider.process_spec import ProcessSpec
from hybrid.provider.properties import UNKNOWN, reveal

pytestmark = pytest.mark.unit


def inputs(**given):
    least = {"name": "agent", "directory": "/srv/agent", "command": ["dagster-cloud", "agent", "run"]}
    return reveal(DEFINITION.complete({**least, **given}))


def spec(**given):
    return ProcessSpec.of(inputs(**given))


@pytest.mark.parametrize(
    "changed",
    [
        {"command": ["other"]},
        {"environment": {"A": "1"}},
        {"secretEnvironment": {"A": "1"}},
        {"files": {"a": "1"}},
        {"workingDirectory": "/elsewhere"},
        {"leftoverCommands": ["api grpc"]},
        {"stopTimeoutSeconds": 1},
        {"survivesReboot": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_changes_what_runs_changes_the_digest(changed):
    assert spec(**changed).digest("salt") != spec().digest("salt")


@pytest.mark.parametrize(
    "changed",
    [{"readinessUrl": "http://127.0.0.1:1/"}, {"readinessTimeoutSeconds": 1}, {"removeOnDelete": ["/a"]}, {"port": 99}],
    ids=lambda changed: next(iter(changed)),
)
def test_how_we_wait_and_clean_up_does_not_change_the_digest(changed):
    assert spec(**changed).digest("salt") == spec().digest("salt")


def test_a_digest_cannot_be_guessed_from_the_secret_without_its_salt():
    assert spec().digest("salt") != spec().digest("other salt")


def test_secrets_are_only_in_the_environment():
    made = spec(secretEnvironment={"TOKEN": "swordfish"}, environment={"A": "1"})
    texts = [made.launch_plan(), made.supervisor_configuration("/usr/bin/python3", Path("/tmp/s")), repr(made)]

    assert not [text for text in texts if "swordfish" in text]
    assert made.supervisor_environment({})["TOKEN"] == "swordfish"


def test_only_listed_variables_of_the_caller_are_inherited():
    given = {"PATH": "/bin", "DAGSTER_CLOUD_API_TOKEN": "x", "PYTHONDONTWRITEBYTECODE": "1", "PULUMI_HOME": "/p"}

    assert spec().supervisor_environment(given) == {"PATH": "/bin", "HYBRID_PROCESS": "/srv/agent"}


def test_the_program_is_what_the_plan_says():
    made = spec(environment={"A": "%(x)s ;"}, leftoverCommands=["api grpc"])

    assert json.loads(made.launch_plan()) == {
        "command": ["dagster-cloud", "agent", "run"],
        "environment": {"A": "%(x)s ;"},
        "workingDirectory": "/srv/agent",
        "leftoverCommands": ["api grpc"],
    }


@given(folder=some.from_regex(r"[A-Za-z0-9 %'\"()$_-]{1,20}", fullmatch=True))
def test_the_supervisor_reads_its_configuration_whatever_the_paths_hold(tmp_path_factory, folder):
    directory = tmp_path_factory.mktemp("spec") / f"x{folder}"
    directory.mkdir()
    python = str(directory / "bin" / "python")
    made = spec(directory=str(directory), logMaxBytes=4096, logBackups=1, stopTimeoutSeconds=7)
    configuration = directory / "supervisord.conf"
    configuration.write_text(made.supervisor_configuration(python, Path("/tmp/short.sock")))

    options = ServerOptions()
    options.realize(["-c", str(configuration)])

    (group,) = options.process_group_configs
    (program,) = group.process_configs
    assert options.pidfile == str(directory / "supervisord.pid")
    assert program.stdout_logfile == made.log_file.name, "below the folder that the supervisor is started in"
    assert (program.stopwaitsecs, program.stdout_logfile_maxbytes, program.stdout_logfile_backups) == (7, 4096, 1)
    assert program.command.endswith("-P -m hybrid.provider.launch")
    assert folder.strip() in program.command.replace("'\"'\"'", "'"), "the interpreter's path is whole"


def test_the_unit_holds_no_secret_and_starts_the_same_supervisor():
    made = spec(secretEnvironment={"TOKEN": "swordfish"}, stopTimeoutSeconds=20)
    text = systemd.unit(made, "/opt/my python/bin/python")

    assert "swordfish" not in text
    assert 'ExecStart="/opt/my python/bin/python" -P -m supervisor.supervisord --nodaemon' in text
    assert "EnvironmentFile=/srv/agent/environment" in text
    assert "TimeoutStopSec=30" in text, "systemd gives the supervisor the time that it gives the program"
    assert systemd.unit_name(made) != systemd.unit_name(spec(directory="/srv/other"))


def test_the_environment_file_quotes_what_systemd_would_expand():
    assert systemd.environment_file({"B": 'a"b\\c$d`e', "A": "two words"}) == 'A="two words"\nB="a\\"b\\\\c\\$d\\`e"\n'


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ({"files": {"../x": ""}}, "files.../x", "must be a path below `directory`, without `..`"),
        ({"files": {"/etc/x": ""}}, "files./etc/x", "must be a path below `directory`, without `..`"),
        ({"files": {OWN_FILES[0]: ""}}, f"files.{OWN_FILES[0]}", "is a name that the provider uses"),
        ({"environment": {"A=B": ""}}, "environment.A=B", "is no name for a variable"),
        ({"environment": {"HYBRID_PROCESS": ""}}, "environment.HYBRID_PROCESS", "is set by the provider itself"),
        ({"readinessUrl": "ftp://x"}, "readinessUrl", "must be an address that begins with http:// or https://"),
        ({"removeOnDelete": ["/"]}, "removeOnDelete[0]", "must not be your home folder or one above it"),
        ({"removeOnDelete": [str(Path.home())]}, "removeOnDelete[0]", "must not be your home folder or one above it"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_process_input_that_would_do_harm_is_named(given, path, reason):
    (failure,) = Process().check(inputs(**given))

    assert failure.path == path
    assert failure.reason.startswith(reason)


def test_a_process_input_that_is_not_known_yet_is_no_failure():
    given = inputs(files=UNKNOWN, environment=UNKNOWN, removeOnDelete=[UNKNOWN], readinessUrl=UNKNOWN)

    assert Process().check(given) == []


def test_a_platform_without_systemd_says_why_a_process_cannot_survive_a_reboot(monkeypatch):
    monkeypatch.setattr("hybrid.provider.systemd.sys.platform", "darwin")
    (failure,) = Process().check(inputs(survivesReboot=True))

    assert failure.path == "survivesReboot"
    assert "needs systemd, which this platform does not have" in failure.reason
