"""A switch rehearsed with real agents, from a saved inspection; and that nothing of it reaches anybody."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hybrid.delivery.virtualenv import VirtualEnvironmentSpec
from hybrid.switch.inspection import inspected
from hybrid.switch.organization import FoundInstigator, FoundVariable
from tests.emulated.checkout import Answer, Checkout, until
from tests.unit.switch.inspected import location, organization, repository

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(600)]

SECRET = "user:acme:0123456789abcdef0123456789abcdef"
CODE = """
import json, os
from pathlib import Path
import dagster as dg

Path("{gate}").write_text(json.dumps(dict(os.environ)))

@dg.op
def noting() -> None:
    Path("{gate}.ran").touch()

@dg.job(executor_def=dg.in_process_executor)
def notes() -> None:
    noting()

on = dg.DefaultScheduleStatus.RUNNING
nightly = dg.ScheduleDefinition(job=notes, cron_schedule="0 4 1 1 *", name="nightly", default_status=on)
often = dg.ScheduleDefinition(job=notes, cron_schedule="* * * * *", name="often", default_status=on)
defs = dg.Definitions(jobs=[notes], schedules=[nightly, often])
"""


class Elsewhere:
    """Takes what is sent to any address but this machine's."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.asked: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return {**dict.fromkeys(names, address), "NO_PROXY": "", "no_proxy": ""}

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(200))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout in git whose stack ``prod`` is of an organization, on ECS."""
    made = Checkout(tmp_path / "checkout")
    made.location("alpha", CODE)
    (made.root / "stacks" / "Pulumi.prod.yaml").write_text(
        "config:\n  # the team's own words\n  hybrid:organization: acme\n  hybrid:agent:\n    kind: ecs\n"
        "  hybrid:aws:\n    account: '111122223333'\n    region: eu-central-1\n"
    )
    (made.root / ".gitignore").write_text(".hybrid/\n.venv\n__pycache__/\ngate*\n")
    (made.root / "stacks" / "Pulumi.local.yaml").unlink()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], cwd=made.root, check=True)
    yield made
    made.destroy()


def inspection(path: Path, **changes: Any) -> Path:
    """Saved: of an organization that has ``alpha`` and one more, a schedule of its code turned off."""
    state = organization(
        locations=[location("alpha", {"location_name": "alpha", "image": "x/alpha:1"}), location("gone", {})],
        instigators=[
            FoundInstigator("alpha", "__repository__", "nightly", "schedule", True, True, False),
            FoundInstigator("alpha", "__repository__", "often", "schedule", False, True, True),
        ],
        variables=[FoundVariable("STRIPE_KEY", ["full deployments"], [])],
        **changes,
    )
    path.write_text(json.dumps(inspected(state, repository()).document()))
    return path


def rehearse(team: Checkout, *arguments: str, **more: str) -> Answer:
    secrets = {"DAGSTER_CLOUD_API_TOKEN": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "DATABASE_PASSWORD": SECRET}
    return team.hybrid("switch", "rehearse", *arguments, timeout=500, **secrets, **more)


def left_over(team: Checkout) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(team.root) in process.environ().get("HYBRID_PROCESS", ""):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_a_rehearsal_is_there_and_back_and_nobody_else_hears_of_it(
    team: Checkout, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    wanted = ("dagster==1.13.27", "dagster-cloud==1.13.27")
    # so that its packages are in uv's cache
    VirtualEnvironmentSpec(tmp_path / "warm", wanted).ensure(lambda text: None, time.sleep)
    # as of an organization on Dagster+ itself: with settings that the embedded one does not know
    settings = {"sso_default_role": "LAUNCHER", "run_queue": {"max_concurrent_runs": 10}, "of_tomorrow": {"a": 1}}
    saved, page = inspection(tmp_path / "inspection.json", settings=settings), tmp_path / "rehearsal.html"
    given = ("switch", "rehearse", "prod", "--inspection", str(saved), "--html", str(page), "--json", "--keep")
    others = {"AWS_SECRET_ACCESS_KEY": SECRET, "DATABASE_PASSWORD": SECRET}  # and no token: nobody is asked
    answer = team.hybrid(*given, timeout=500, **others, **elsewhere.variables, UV_OFFLINE="1")

    found = answer.document
    assert answer.code == 0, answer.err
    assert any("gone" in each for each in found["would_fail"]), "the real switch ends where the stack serves too little"
    assert any("of_tomorrow" in each for each in found["differs_from_the_real_one"]), "what it does not know it says"
    assert found["seeded"]["locations"] == ["alpha"]
    assert found["seeded"]["variables"] == 1
    assert found["seeded"]["schedules_and_sensors_on"] == 1, "one schedule is off, as inspected"
    assert elsewhere.asked == [], "something was asked of somebody else's machine"
    seen = json.loads(team.gate.read_text())
    assert seen["STRIPE_KEY"] == "made up for a rehearsal"
    assert SECRET not in json.dumps(seen), "code of a location was given a secret of this shell"
    assert not Path(f"{team.gate}.ran").exists(), "a run was executed that nobody has asked for"
    assert SECRET not in answer.out + answer.err + page.read_text()
    status = subprocess.run(["git", "status", "--porcelain"], cwd=team.root, capture_output=True, text=True, check=True)
    assert status.stdout == "", "files of the checkout were changed"
    private = sorted(each.name for each in (team.root / ".hybrid").iterdir())
    assert private == ["rehearsals"], "the real stack's state was touched"
    for file in (team.root / ".hybrid" / "rehearsals" / "prod").rglob("*"):
        if file.is_file() and not file.is_symlink():
            assert SECRET.encode() not in file.read_bytes(), f"{file} has a secret of this shell"
    assert left_over(team) == [], "processes outlive the rehearsal"


def test_the_downtime_and_the_way_back_are_measured_and_a_second_rehearsal_begins_anew(team: Checkout) -> None:
    answer = rehearse(team, "--smoke", "alpha:notes", "--json")
    found = answer.document
    assert answer.code == 0, answer.err
    assert Path(f"{team.gate}.ran").exists(), "the run that was asked for"
    assert found["holds"] is True
    assert 0 < found["downtime"]["seconds"] < 90
    assert found["downtime"]["seconds"] == found["downtime"]["seconds_since_switch"], "Serverless has gone at once"
    begin, end = found["no_agent_served"]
    assert end - begin == pytest.approx(found["downtime"]["seconds"], abs=0.1)
    back = [each["step"] for each in found["steps"] if each["way"] == "back"]
    assert back[0] == "resume"
    assert back[-1] == "preflight", "all of it was taken back"
    assert found["is_serverless_again"] is True
    assert [each.name for each in (team.root / ".hybrid" / "rehearsals").iterdir() if each.is_dir()] == ["environments"]
    assert left_over(team) == []


def test_a_rehearsal_that_is_killed_leaves_what_the_next_one_ends(team: Checkout) -> None:
    process = team.start("switch", "rehearse", "--json", **{"DAGSTER_CLOUD_API_TOKEN": SECRET})
    _until_at(team, process, "agent")
    os.killpg(process.pid, 9)
    process.communicate()
    assert left_over(team), "the agent is supervised, so that it outlives the kill: else this shows nothing"
    (team.root / "locations" / "alpha" / "src" / "alpha" / "definitions.py").write_text("raise ValueError('broken')")
    answer = rehearse(team, "--json")
    assert answer.code == 7
    assert "alpha: " in answer.err, "which location does not load was not said"
    assert left_over(team) == []


def _until_at(team: Checkout, process: subprocess.Popen[str], step: str) -> None:
    journal = team.root / ".hybrid/rehearsals/rehearsal/checkout/.hybrid/stacks/rehearsal/switch.jsonl"

    def there() -> bool:
        assert process.poll() is None, process.communicate()[1]
        return journal.exists() and f'"{step}"' in journal.read_text()

    until(there, seconds=300, what=f"the switch is at {step}")


@pytest.mark.parametrize("step", ["prepare", "serve"])
def test_ctrl_c_leaves_nothing_running(team: Checkout, step: str) -> None:
    process = team.start("switch", "rehearse", "--json")
    _until_at(team, process, step)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == "", "half an answer is none"
    assert "Traceback" not in err
    assert left_over(team) == []
    assert [each.name for each in (team.root / ".hybrid/rehearsals").iterdir() if each.is_dir()] == ["environments"]


def test_a_location_that_fails_on_hybrid_alone_is_named_and_the_way_back_is_rehearsed_too(team: Checkout) -> None:
    team.location(
        "beta", 'import os\nif "HYBRID_RELEASE" in os.environ:\n    raise ValueError("no Hybrid for me")\n' + CODE
    )
    answer = rehearse(team, "--json")
    found = answer.document
    assert answer.code == 7, answer.err
    assert found["holds"] is False
    assert found["downtime"] is None, "it is not over"
    [failed] = [each for each in found["steps"] if each["failed"]]
    assert failed["step"] == "serve", "the agent alone gives it that variable"
    assert "beta" in answer.err
    assert "no Hybrid for me" in answer.err
    assert any("serve failed" in each for each in found["would_fail"])
    assert found["is_serverless_again"] is True
    assert left_over(team) == []


def test_an_agent_that_never_comes_ends_the_rehearsal_and_serverless_is_back(team: Checkout) -> None:
    file = team.root / "stacks" / "Pulumi.prod.yaml"
    file.write_text(file.read_text().replace("kind: ecs", "kind: ecs\n    environment:\n      PYTHONHOME: /nowhere"))
    saved = inspection(team.root.parent / "inspection.json")
    answer = rehearse(team, "prod", "--inspection", str(saved), "--json")
    found = answer.document
    assert answer.code == 7, answer.err
    [failed] = [each for each in found["steps"] if each["failed"]]
    assert failed["step"] in {"prepare", "serve"}, failed
    assert "hybrid-prod" in failed["failed"] or "agent" in failed["failed"], "who did not come was not said"
    assert found["is_serverless_again"] is True
    assert left_over(team) == []
