"""A deployment taken from a real Serverless agent to a real agent on Kubernetes, and back, by `hybrid switch`: Pulumi's
real engine and the whole program, a real API server with RBAC, images in a real registry, code servers and runs in
pods. The node is a double whose Pods are containers, and Dagster+ the embedded one: a downtime measured here says
nothing of a node that first has to pull an image, nor of how long Dagster+ itself takes.

The tests of this module follow one deployment, in order.
"""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hybrid.emulator.serverless.home import token_description
from hybrid.plus import PlusClient
from hybrid.switch.journal import Event, Line, facts_in, read_journal
from hybrid.switch.platform_times import times_on
from stacks.standby import STANDBY_QUEUE
from tests.containers.stand import Containers
from tests.emulated.checkout import Answer
from tests.emulated.served import ServerlessOrganization
from tests.emulated.stack_checkout import STACK
from tests.kubernetes.kubernetes_checkout import KubernetesCheckout
from tests.kubernetes.lab import KubernetesLab

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(1500)]

LOCATIONS = ("alpha", "beta")
RUN = ("switch", "run", STACK, "--yes", "--no-values")


class SwitchedCheckout(KubernetesCheckout):
    """Its stack is to take over what Serverless runs from the same folders."""

    PATIENCE: ClassVar[dict[str, int]] = {}  # the default's: all pods come, beside much other work too

    CODE = """
import dagster as dg

VERSION = "{version}"

@dg.op
def greet(context: dg.OpExecutionContext) -> None:
    context.log.info(f"version {VERSION}")

@dg.job(executor_def=dg.in_process_executor)
def greeting() -> None:
    greet()

@dg.sensor(job=greeting, default_status=dg.DefaultSensorStatus.RUNNING)
def watching(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    return dg.SkipReason("nothing to do")

@dg.schedule(job=greeting, cron_schedule="0 4 1 1 *")
def left_off(context: dg.ScheduleEvaluationContext) -> dict:
    return {}

yearly = dg.ScheduleDefinition(
    job=greeting, cron_schedule="0 4 1 1 *", name="yearly", default_status=dg.DefaultScheduleStatus.RUNNING
)
defs = dg.Definitions(jobs=[greeting], schedules=[yearly, left_off], sensors=[watching])
"""

    def deploy_to_serverless(self, client: PlusClient) -> None:
        for name in LOCATIONS:
            folder = self.checkout.root / "locations" / name / "src"
            source = {"module_name": f"{name}.definitions"}
            client.put_location({"location_name": name, "code_source": source, "working_directory": str(folder)})

        def loaded() -> bool:
            return [each.is_loaded for each in client.code_locations()] == [True] * len(LOCATIONS)

        self.until(loaded, seconds=120, what="Serverless has loaded all locations")

    # what a person sees

    def done(self, *arguments: str) -> Answer:
        answer = self.hybrid(*arguments)
        assert not [secret for secret in self.secrets() if secret in answer.out + answer.err], "a token was shown"
        said = f"{answer.out[-3000:]}\n{answer.err[-5000:]}\n{self.trouble()}"
        assert answer.code == 0, f"{arguments} ended with {answer.code}:\n{said}"
        return answer

    def secrets(self) -> list[str]:
        """The token of the person, and the agent's."""
        there = self.objects("secret") if self.lab.exists(self.names.namespace) else []
        found = [one for one in there if one.metadata.name == self.names.token_secret]
        return [self.plus.token, *(base64.b64decode(text).decode() for one in found for text in one.data.values())]

    # what stands

    def standing(self) -> dict[str, Any]:
        with self.dagster_plus() as client:
            return {
                "type": client.current_deployment().agent_type,
                "documents": client.location_documents(),
                "on": sorted((one.location, one.name) for one in client.automations().instigations if one.is_on),
                "loaded": sorted(each.name for each in client.code_locations() if each.is_loaded),
                "variables": sorted(each.name for each in client.environment_variables()),
            }

    @property
    def journal(self) -> Path:
        return self.checkout.root / ".hybrid" / "stacks" / STACK / "switch.jsonl"

    def lines(self) -> Sequence[Line]:
        """The journal's."""
        _, lines = read_journal(self.journal) or (None, ())
        return lines

    def good_tokens(self) -> list[str]:
        """What the agent tokens that are not revoked are for."""
        with self.dagster_plus() as client:
            return sorted(token.description or "" for token in client.agent_tokens() if not token.revoked)

    def agent_takes_work(self) -> bool:
        """Whether its settings have it on other queues than that of an agent that stands by."""
        texts = [text for one in self.objects("config_map") for text in (one.data or {}).values()]
        return any("dagster_cloud_api" in text and STANDBY_QUEUE not in text for text in texts)

    def code_servers(self) -> list[Any]:
        """Their pods, whether they run or not."""
        return [pod for pod in self.objects("pod") if "user-deployment" in (pod.metadata.labels or {})]


@dataclass(frozen=True)
class Look:
    """At one moment, in seconds since 1970: the agent type, how many pods of code there are, whether the agent on
    Kubernetes takes work, which locations are loaded, and which of them from an image."""

    at: float
    agent_type: str
    code: int
    takes_work: bool
    loaded: tuple[str, ...]
    from_image: tuple[str, ...]


@contextmanager
def watched(stack: SwitchedCheckout) -> Iterator[Sequence[Look]]:
    """What was seen while the block went on, one look after the other."""
    looks: list[Look] = []
    over = threading.Event()

    def watch() -> None:
        with stack.dagster_plus() as client:
            while not over.wait(0.2):
                at = time.time()
                code, takes_work = len(stack.code_servers()), stack.agent_takes_work()
                found = sorted(client.code_locations(), key=lambda each: each.name)
                loaded = tuple(each.name for each in found if each.is_loaded)
                from_image = tuple(each.name for each in found if each.has_loaded(each.image or ""))
                # last, so that all the rest was still seen on Serverless if this is
                looks.append(Look(at, client.current_deployment().agent_type, code, takes_work, loaded, from_image))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield looks
        assert thread.is_alive(), "somebody looked until the end"
    finally:
        over.set()
        thread.join(30)


@pytest.fixture(scope="module")
def stack(
    kubernetes_lab: KubernetesLab,
    containers: Containers,
    kubernetes_agent_image: str,
    kubernetes_plugin_path: str,
    environments: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SwitchedCheckout]:
    said = ["--also-listen", kubernetes_lab.gateway, "--organization", "acme", "--deployment", STACK]
    with ServerlessOrganization(tmp_path_factory.mktemp("plus"), *said) as plus:
        root = tmp_path_factory.mktemp("stack")
        (root / "environments").symlink_to(environments)  # made once for all tests
        place = SwitchedCheckout(root, kubernetes_lab, plus, containers, kubernetes_agent_image, kubernetes_plugin_path)
        with place.dagster_plus() as client:
            place.until(client.agents, seconds=120, what="the Serverless agent reports")
            place.deploy_to_serverless(client)
        yield place
        place.destroy()


@pytest.fixture(scope="module")
def before(stack: SwitchedCheckout) -> dict[str, Any]:
    """What Serverless runs."""
    found = stack.standing()
    on = [(name, each) for name in LOCATIONS for each in ("watching", "yearly")]
    assert (found["type"], found["on"]) == ("SERVERLESS", on), "and what is on is on by default"
    return found


def test_inspection_and_plan_know_the_agent_on_kubernetes(stack: SwitchedCheckout, before: dict[str, Any]) -> None:
    repository = ("--repository", str(stack.checkout.root))
    found = stack.done("switch", "inspect", STACK, *repository, "--json").document["organization"]
    planned = stack.done("switch", "plan", STACK, *repository, "--save", str(plan_of(stack)), "--json").document["plan"]

    assert [each["name"] for each in found["locations"]] == list(LOCATIONS)
    assert (planned["strategy"], planned["locations"]) == ("at_once", list(LOCATIONS))
    states = {each["name"]: each["state"] for each in planned["prerequisites"]}
    assert states["values_place"] == "missing", "the stack names no bucket, and the switch is told --no-values"
    (loaded,) = [step["takes"] for step in planned["steps"] if step["name"] == "loaded"]
    times = times_on("kubernetes")
    assert loaded["high"] == times.heartbeat[1] + times.loads[1], "the agent stands by, and starts anew in the gap"
    assert stack.standing() == before, "both only read"
    assert not stack.lab.exists(stack.names.namespace), "of the cluster too"


def test_it_goes_to_the_agent_on_kubernetes_which_stood_by_until_the_hand_over(
    stack: SwitchedCheckout, before: dict[str, Any]
) -> None:
    with watched(stack) as looks:
        smoke = ("--smoke", "alpha:greeting")
        done = stack.done(*RUN, "--plan", str(plan_of(stack)), *smoke, "--json")
    [switched] = done.document["stacks"]
    print(f"downtime: {switched['downtime']}")

    on_serverless = [look for look in looks if look.agent_type == "SERVERLESS"]
    assert on_serverless, "it was looked at before the hand-over"
    assert {look.loaded for look in on_serverless} == {LOCATIONS}, "the agent beside it spoils nothing"
    assert not any(look.code for look in on_serverless), "and loads nothing"
    assert looks[-1].takes_work, "after the hand-over it does"
    assert not any(look.takes_work for look in on_serverless), "and before it takes none of Serverless's requests"
    now = stack.standing()
    assert (switched["stage"], now["type"]) == ("done", "HYBRID")
    assert now["loaded"] == list(LOCATIONS), "no location is lost"
    assert now["on"] == before["on"], "schedules and sensors are on as before, and what was off is off"
    assert now["variables"] == [], "the marker of the switch is gone"
    assert stack.settings["phase"] == "serve"
    not_yet = [look.at for look in looks if look.agent_type == "HYBRID" and look.from_image != LOCATIONS]
    assert switched["downtime"]["loaded_at"] > max(not_yet), "it is said to be over while a location was not loaded"


def test_what_runs_is_what_was_pushed(stack: SwitchedCheckout) -> None:
    documents = stack.standing()["documents"]
    images = {name: each["image"] for name, each in documents.items()}
    for name, image in images.items():
        assert image.startswith(f"{stack.settings['registry']['address']}/{name}@sha256:"), "a tag could be moved"
    running = {pod.metadata.labels["location_name"]: pod.spec.containers[0].image for pod in stack.code_servers()}
    assert running == images
    assert len(stack.agent_pods()) == 1, "one agent, and none that stands by"


def test_the_journal_says_how_long_nobody_served_and_has_no_token(stack: SwitchedCheckout) -> None:
    said = stack.done("switch", "status", STACK, "--json").document
    switched, loaded = facts_in(stack.lines(), "switch"), facts_in(stack.lines(), "loaded")

    assert 0 < said["downtime"]["seconds"] <= said["downtime"]["seconds_since_switch"], said["downtime"]
    assert said["downtime"]["seconds_since_switch"] == round(loaded["loaded_at"] - switched["switched_at"], 1)
    assert not [secret for secret in stack.secrets() if secret in stack.journal.read_text()], (
        "a token is in the journal"
    )


def test_verification_runs_a_job_of_the_cluster(stack: SwitchedCheckout) -> None:
    known = {job.metadata.name for job in stack.objects("job")}

    verified = stack.done("switch", "verify", STACK, "--run", "beta:greeting", "--json")

    checks = {each["check"]: each["is_so"] for each in verified.document["checks"]}
    assert {"Serverless gone", "location alpha", "location beta", "run of greeting in beta"} <= set(checks)
    assert set(checks.values()) == {True}, checks
    (job,) = [job for job in stack.objects("job") if job.metadata.name not in known]
    stack.until(
        lambda: any(one.status.succeeded for one in stack.objects("job") if one.metadata.uid == job.metadata.uid),
        seconds=60,
        what="the run's job is complete",
    )


def test_it_goes_back_to_what_it_was(stack: SwitchedCheckout, before: dict[str, Any]) -> None:
    back = stack.done("switch", "back", STACK, "--yes", "--json")

    assert back.document["stage"] == "back"
    assert stack.standing() == before, "Serverless runs what it ran, with what was on"
    with stack.dagster_plus() as client:
        running = [agent for agent in client.agents() if agent.is_running]
        assert any("Serverless" in (agent.label or "") for agent in running), [agent.label for agent in running]
    stack.until(lambda: not stack.code_servers(), seconds=60, what="the cluster has no code any more")
    assert "phase" not in stack.settings, "the stack file is as it was"


def test_killed_after_the_hand_over_it_goes_on(stack: SwitchedCheckout, before: dict[str, Any]) -> None:
    process = stack.start(*RUN)

    def in_the_middle() -> bool:
        if process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"it ended before it was killed:\n{out}\n{err}")
        return bool(stack.code_servers())

    stack.until(in_the_middle, seconds=400, what="the update after the hand-over is at work")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    last = stack.lines()[-1]
    assert (last.step, last.event) == ("serve", Event.BEGUN), "it was killed in the middle of a step"
    assert stack.standing()["type"] == "HYBRID", "it was handed over"

    resumed = stack.done(*RUN, "--resume", "--json")

    [switched] = resumed.document["stacks"]
    now = stack.standing()
    assert (switched["stage"], now["type"], now["on"]) == ("done", "HYBRID", before["on"])
    assert now["loaded"] == list(LOCATIONS)
    assert now["variables"] == [], "the marker of the switch that was killed is gone too"


def test_back_once_more_and_down_leave_nothing(stack: SwitchedCheckout, before: dict[str, Any]) -> None:
    stack.done("switch", "back", STACK, "--yes")
    assert stack.standing() == before

    stack.done("down", STACK, "--yes")

    assert not stack.lab.exists(stack.names.namespace), "the namespace was the stack's own"
    assert stack.lab.containers() == [], "no pod is left"
    assert stack.good_tokens() == [token_description(STACK)], "its own is revoked"
    assert stack.standing() == before, "and Serverless goes on with all locations"


def test_the_agent_was_denied_nothing(stack: SwitchedCheckout) -> None:
    denied = sorted({f"{call.verb} {call.group}/{call.resource}" for call in stack.agent_calls() if not call.allowed})
    assert denied == [], "standing by and taking over need no right that a stack's agent has not"


def plan_of(stack: SwitchedCheckout) -> Path:
    return stack.checkout.root.parent / "plan.json"
