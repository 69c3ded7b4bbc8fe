"""What the commands do for a stack on Kubernetes: what they find out beforehand, status, logs, a shell, restart, scale,
doctor. The cluster is faked at the level of HTTP, Dagster+ is in memory, the engine only records."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hybrid.kubernetes.errors import KubernetesDenied
from hybrid.kubernetes.labels import location_hash
from hybrid.platforms import kubernetes_logs
from tests.unit.cli.ecs_checkout import Call, FakePlus, Updates, agent
from tests.unit.kubernetes.fake_cluster import AGENT_ID, STACK_LABEL, Fake, served
from tests.unit.kubernetes.test_faults import waiting

pytestmark = pytest.mark.unit

NAMESPACE, BASE, AGENT = "hybrid-prod", "hybrid-prod", "hybrid-prod-agent"
IMAGE = "public.ecr.aws/dagster/dagster-cloud-agent:1.13.27"
CHANGING = (("up", "prod", "--yes"), ("preview", "prod"), ("refresh", "prod"), ("down", "prod", "--yes"))


@pytest.fixture
def fake(tmp_path_factory: pytest.TempPathFactory, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with served(Fake(), tmp_path_factory.mktemp("cluster")) as fake:
        fake.rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        file.write_text(
            "config:\n  hybrid:organization: acme\n  hybrid:agent:\n    kind: kubernetes\n"
            "  hybrid:registry: {address: r.test/acme}\n  hybrid:kubernetes:\n"
            f"    context: test\n    kubeconfig: {fake.kubeconfig}\n    locationNamespaces: [team-b]\n"
        )
        yield fake
    assert fake.unknown == [], "something was asked that an API server of this kind is not asked"


@pytest.fixture
def standing(fake: Fake, plus: FakePlus) -> Fake:
    plus.listed = [agent(AGENT_ID)]
    plus.documents["prod"] = {"alpha": "x/alpha:1", "beta": "x/beta:1"}
    made = fake.agent(name=AGENT, image=IMAGE, labels={STACK_LABEL: BASE})
    made["metadata"]["namespace"] = NAMESPACE
    fake.objects["deployments", NAMESPACE, AGENT] = fake.objects.pop(("deployments", "team-a", AGENT))
    fake.pod("agent-abc-x1", namespace=NAMESPACE, labels={STACK_LABEL: BASE, "app": AGENT})
    server(fake, "alpha", NAMESPACE, AGENT_ID)
    server(fake, "beta", "team-b", "gone")
    fake.server("theirs-1", namespace=NAMESPACE, stack="hybrid-other", agent="a9")
    fake.run("r1-2345678", stack=BASE, namespace=NAMESPACE, job="etl")
    return fake


def server(fake: Fake, location: str, namespace: str, agent_id: str) -> None:
    made = fake.server(f"{location}-1", namespace=namespace, stack=BASE, agent=agent_id, location=location)
    made["status"] = {"readyReplicas": 1}
    for kind, name in (("deployments", f"{location}-1"), ("pods", f"{location}-1-1")):
        fake.objects[kind, namespace, name]["metadata"]["labels"] |= {
            "location_hash": location_hash("prod", location),
            "deployment_name": "prod",
        }


@pytest.mark.parametrize("command", CHANGING, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda fake: fake.denied.update({("create", "roles")}) or fake.rules.clear(), "create roles in hybrid-prod"),
        (lambda fake: fake.version.update(minor="20"), "a stack needs 1.22"),
        (lambda fake: fake.refuse("version", 401, "Unauthorized"), "does not accept the credentials"),
    ],
    ids=["rights", "version", "login"],
)
def test_what_the_cluster_refuses_is_said_before_anything_is_begun(
    command: tuple[str, ...], prepare: object, said: str, call: Call, updates: Updates, plus: FakePlus, fake: Fake
) -> None:
    prepare(fake)  # type: ignore[operator]
    answer = call(*command)
    assert answer.code == 1, answer.err
    assert answer.err.count(said) == 1
    assert updates.commands == [], "Pulumi would say it once for each object"


def test_a_context_that_is_not_there_is_said_before_anything_is_begun(
    call: Call, updates: Updates, plus: FakePlus, fake: Fake, file: Path
) -> None:
    file.write_text(file.read_text().replace("context: test", "context: production"))
    answer = call("up", "prod", "--yes")
    assert "has no context production" in answer.err
    assert "It has other, test." in answer.err
    assert updates.commands == []


def test_status_tells_the_agent_and_what_it_made(call: Call, standing: Fake) -> None:
    answer = call("status", "prod", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)["kubernetes"]
    assert told["problem"] is None
    assert told["version"] == "v1.34.2-test"
    assert (told["agent"]["desired"], told["agent"]["ready"], told["agent"]["rolled_out"]) == (1, 1, True)
    assert (told["agent"]["image"], told["agent"]["version"]) == (IMAGE, "1.13.27")
    servers = {each["deployment"]: each for each in told["code_servers"]}
    assert sorted(servers) == ["alpha-1", "beta-1"], "another stack's in the same namespace is not ours"
    assert (servers["alpha-1"]["orphan"], servers["beta-1"]["orphan"]) == (False, True)
    assert servers["beta-1"]["namespace"] == "team-b"
    assert [(run["run_id"], run["job"]) for run in told["runs"]] == [("r1-2345678", "etl")]


def test_people_see_a_line_a_thing_and_why_a_pod_does_not_run(call: Call, standing: Fake) -> None:
    pod = standing.objects["pods", "team-b", "beta-1-1"]
    pod["status"]["containerStatuses"] = [waiting("ImagePullBackOff", 'pulling image "x": not found')]
    answer = call("status", "prod")
    assert "1/1 ready" in answer.out
    assert "ORPHAN" in answer.out
    assert "etl" in answer.out
    assert "The image is not in its registry." in answer.err


def test_without_the_cluster_the_rest_is_shown(call: Call, standing: Fake) -> None:
    standing.refuse("version", 401, "Unauthorized", times=9)
    answer = call("status", "prod", "--json")
    told = json.loads(answer.out)
    assert told["agents"][0]["status"] == "RUNNING"
    assert "does not accept the credentials" in told["kubernetes"]["problem"]


@pytest.mark.parametrize(
    ("options", "pod"),
    [
        ((), "agent-abc-x1"),
        (("--location", "alpha"), "alpha-1-1"),
        (("--run", "r1-2345678"), "dagster-run-r1-2345678-x"),
    ],
)
def test_logs_are_those_of_the_pods_that_are_meant(
    options: tuple[str, ...], pod: str, call: Call, standing: Fake
) -> None:
    standing.logs[pod, "dagster", False] = "\n".join(f"2026-11-21T12:00:0{n}Z line {n}" for n in range(5))
    answer = call("agent", "logs", "prod", *options, "-n", "2")
    assert answer.code == 0, answer.err
    assert [line.rpartition("line ")[2] for line in answer.out.splitlines()] == ["3", "4"]
    assert [made for made in standing.calls if made.startswith("log ")] == [f"log {NAMESPACE}/{pod}"]


def test_a_log_that_is_not_there_is_said_with_the_reason(call: Call, standing: Fake) -> None:
    pod = standing.objects["pods", NAMESPACE, "agent-abc-x1"]
    pod["status"] |= {"phase": "Pending", "containerStatuses": [waiting("CreateContainerConfigError", "no secret")]}
    answer = call("agent", "logs", "prod")
    assert answer.out == ""
    assert "agent-abc-x1 is Pending CreateContainerConfigError: no secret" in answer.err
    assert "there is no pod of it" in call("agent", "logs", "prod", "--run", "none").err


def test_a_log_is_followed_without_a_line_twice(call: Call, standing: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    standing.logs["agent-abc-x1", "dagster", False] = "2026-11-21T12:00:01Z first"
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            standing.logs["agent-abc-x1", "dagster", False] += "\n2026-11-21T12:00:02Z second"
        if len(looks) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(kubernetes_logs.time, "sleep", sleep)
    with contextlib.suppress(KeyboardInterrupt):
        answer = call("agent", "logs", "prod", "-f")
        assert [line.rpartition(" ")[2] for line in answer.out.splitlines()] == ["first", "second"]
    assert len(looks) == 4


def test_a_shell_is_opened_by_kubectl_in_the_pod_that_runs(call: Call, standing: Fake) -> None:
    answer = call("agent", "exec", "prod", "--location", "beta", "--print", "--command", "dagster --version")
    assert answer.code == 0, answer.err
    assert answer.out.split()[1:] == [
        "--context", "test", "--kubeconfig", standing.kubeconfig, "exec", "--stdin", "--namespace", "team-b",
        "beta-1-1", "--container", "dagster", "--", "dagster", "--version",
    ]  # fmt: skip
    assert "--container agent -- /bin/sh" in call("agent", "exec", "prod", "--print").out


def test_a_shell_where_nothing_runs_is_refused(call: Call, standing: Fake) -> None:
    standing.objects["pods", NAMESPACE, "alpha-1-1"]["status"]["phase"] = "Pending"
    answer = call("agent", "exec", "prod", "--location", "alpha", "--print")
    assert answer.code == 7
    assert "No code server of alpha of the stack 'prod' runs." in answer.err


def test_a_shell_without_kubectl_is_refused_with_what_is_needed(
    call: Call, standing: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    answer = call("agent", "exec", "prod")
    assert answer.code == 4
    assert "needs kubectl" in answer.err
    assert call("agent", "exec", "prod", "--print").out.startswith("kubectl ")


def test_lines_from_before_the_wanted_time_are_not_shown(call: Call, standing: Fake) -> None:
    now = datetime.now(UTC)
    ago = {"of this morning": timedelta(hours=5), "of just now": timedelta(minutes=5)}
    standing.logs["agent-abc-x1", "dagster", False] = "\n".join(
        f"{(now - back).strftime('%Y-%m-%dT%H:%M:%SZ')} {line}" for line, back in ago.items()
    )

    everything = call("agent", "logs", "prod").out
    late = call("agent", "logs", "prod", "--since", "1h").out
    nothing = call("agent", "logs", "prod", "--since", "1m")

    assert "of this morning" in everything, "a node's log has no end of its own"
    assert "of just now" in late
    assert "of this morning" not in late
    assert nothing.out == ""
    assert "a larger --since" in nothing.err


def test_restart_and_scale_go_through_the_stacks_file(
    call: Call, standing: Fake, updates: Updates, plus: FakePlus, file: Path
) -> None:
    answer = call("agent", "restart", "prod", "--yes")
    assert answer.code == 0, answer.err
    assert "restarts: 1" in file.read_text()
    standing.objects["deployments", NAMESPACE, AGENT]["status"]["readyReplicas"] = 2
    plus.listed = [agent(AGENT_ID), agent("another")]
    answer = call("agent", "scale", "prod", "2", "--yes")
    assert answer.code == 0, answer.err
    assert "replicas: 2" in file.read_text()
    assert not [made for made in standing.calls if made.startswith(("patch", "delete"))], "Pulumi does it, nobody else"


def test_upgrade_looks_at_what_runs(call: Call, standing: Fake) -> None:
    standing.put("configmaps", AGENT, namespace=NAMESPACE, data={"dagster.yaml": "a: 1\n"})
    from hybrid.engine.stack import Stack
    from hybrid.platforms.choice import commands_of
    from hybrid.workspace import Workspace

    platform = commands_of(Stack.read(Workspace.of_this_checkout(), "prod"))
    running = platform.agent_running()
    assert (running.image, running.settings) == (IMAGE, "a: 1\n")
    assert platform.agents_running() == 1
    assert platform.monthly_cost() is None, "a cluster has no list price for a pod"
    assert IMAGE in dict(platform.images_in_use("r.test", set()))
    standing.refuse("get deployments")
    assert "does not allow this identity" in (platform.agent_running().unknown or "")


def test_images_that_any_namespace_uses_are_in_use_and_of_what_cannot_be_seen_none_is_unused(standing: Fake) -> None:
    from hybrid.engine.stack import Stack
    from hybrid.platforms.choice import commands_of
    from hybrid.workspace import Workspace

    def template(image: str) -> dict[str, Any]:
        return {"template": {"spec": {"containers": [{"image": image}]}}}

    for plural, image in {
        "deployments": "r.test/a:1",
        "statefulsets": "r.test/b:1",
        "daemonsets": "r.test/c:1",
    }.items():
        standing.put(plural, "theirs", namespace="elsewhere", spec=template(image))
    standing.put("cronjobs", "nightly", namespace="elsewhere", spec={"jobTemplate": {"spec": template("r.test/d:1")}})
    platform = commands_of(Stack.read(Workspace.of_this_checkout(), "prod"))

    used = dict(platform.images_in_use("r.test", set()))

    assert {f"r.test/{name}:1" for name in "abcd"} <= set(used), "whoever uses them, also what has no pod now"
    assert used["r.test/d:1"].startswith("the cron job elsewhere/nightly in ")
    assert used["registry.test/hello@sha256:1"].startswith("the pod ")
    standing.refuse("list statefulsets")
    with pytest.raises(KubernetesDenied, match="may not list the stateful sets of all namespaces") as refused:
        list(platform.images_in_use("r.test", set()))
    assert "Nothing was removed." in (refused.value.why or "")


def test_doctor_tells_cluster_rights_and_kubectl(call: Call, standing: Fake) -> None:
    found = {each["name"]: each for each in json.loads(call("doctor", "prod", "--json").out)["findings"]}
    assert found["kubernetes cluster"]["status"] == "ok"
    assert "v1.34.2-test" in found["kubernetes cluster"]["detail"]
    assert found["kubernetes rights"]["status"] == "ok"
    standing.rules.clear()
    standing.denied.add(("delete", "jobs"))
    found = {each["name"]: each for each in json.loads(call("doctor", "prod", "--json").out)["findings"]}
    assert found["kubernetes rights"]["status"] == "missing"
    assert "delete jobs in hybrid-prod: to remove what the agent left" in found["kubernetes rights"]["detail"]
    standing.denied |= {("update", "configmaps"), ("escalate", "roles")}
    found = {each["name"]: each for each in json.loads(call("doctor", "prod", "--json").out)["findings"]}
    assert "update configmaps in hybrid-prod: to give it to the agent" in found["kubernetes rights"]["detail"]
