"""`hybrid adopt` of an agent on Kubernetes as it is typed. Dagster+ is in memory, the cluster is faked at the level of
HTTP; what becomes of the agent's settings is tests/unit/adopt's subject."""

from __future__ import annotations

import pytest
import yaml

from hybrid.engine.stack import Stack
from hybrid.workspace import Workspace
from tests.unit.adopt.estate import FakeOrganization, running
from tests.unit.kubernetes.fake_cluster import STACK_LABEL, Fake, served

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "ab" * 32
PLANTED = "swordfish-of-a-test-swordfish"
COMMAND = ("adopt", "found", "--organization", "acme", "--context", "test")
HELM = {"meta.helm.sh/release-name": "agent"}


@pytest.fixture
def fake(tmp_path_factory, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with served(Fake(), tmp_path_factory.mktemp("cluster")) as fake:
        monkeypatch.setenv("KUBECONFIG", fake.kubeconfig)
        yield fake
    assert fake.unknown == [], "something was asked that an API server of this kind is not asked"


@pytest.fixture
def helm(fake):
    """As the official chart makes it, as far as it is read."""
    release(fake, "dagster-cloud")
    fake.put(
        "deployments", "shop", namespace="dagster-cloud", spec={"template": {"spec": {"containers": [{"image": "s"}]}}}
    )
    fake.put("secrets", "dagster-cloud-agent-token", namespace="dagster-cloud", data={"token": PLANTED})
    pod = fake.pod("alpha-1", namespace="dagster-cloud", labels={"user-deployment": "alpha"})
    pod["spec"]["containers"][0]["image"] = "r.test/acme/alpha:7"
    pod["status"]["containerStatuses"][0]["imageID"] = f"r.test/acme/alpha@{DIGEST}"
    return fake


def release(fake, namespace, name="user-cloud-dagster-cloud-agent"):
    document = {
        "dagster_cloud_api": {"agent_token": {"env": "DAGSTER_CLOUD_AGENT_TOKEN"}, "deployment": "prod"},
        "user_code_launcher": {
            "module": "dagster_cloud.workspace.kubernetes",
            "class": "K8sUserCodeLauncher",
            "config": {"namespace": namespace, "service_account_name": name, "env_secrets": ["warehouse"]},
        },
    }
    fake.put("configmaps", f"{name}-instance", namespace=namespace, data={"dagster.yaml": yaml.safe_dump(document)})
    fake.put("serviceaccounts", name, namespace=namespace)
    container = {"name": "agent", "image": "docker.io/dagster/dagster-cloud-agent:1.12.0"}
    volumes = [{"name": "s", "secret": {"secretName": "x"}}, {"name": "i", "configMap": {"name": f"{name}-instance"}}]
    pod = {"serviceAccountName": name, "containers": [container], "volumes": volumes}
    spec = {"replicas": 1, "template": {"spec": pod}}
    return fake.put("deployments", name, namespace=namespace, spec=spec, metadata={"annotations": HELM})


@pytest.fixture
def plus(monkeypatch):
    made = FakeOrganization(listed=[running()])
    for name in ("alpha", "gamma"):
        made.documents[name] = {
            "location_name": name,
            "image": f"r.test/acme/{name}:7",
            "code_source": {"module_name": f"{name}.definitions"},
            "container_context": {"k8s": {"env_config_maps": ["settings"]}},
        }
    monkeypatch.setattr("hybrid.cli.adopt._client", lambda endpoint: made)
    return made


def test_without_write_it_shows_what_it_would_write_and_changes_nothing(call, root, plus, helm):
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    answer = call(*COMMAND)
    assert answer.code == 0, answer.err
    assert "+    kind: kubernetes" in answer.out
    assert "+    context: test" in answer.out
    assert "+++ locations/alpha/container_context.found.yaml" in answer.out
    assert "`helm uninstall agent -n dagster-cloud` once the new agent is RUNNING" in answer.out
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert all(made.startswith(("get ", "list ")) for made in helm.calls), "nothing is changed in the cluster"
    assert not [made for made in helm.calls if "secrets" in made], "a Secret is none of its business"
    assert PLANTED not in answer.out + answer.err


def test_what_is_written_is_a_stack_that_the_program_takes(call, root, plus, helm):
    answer = call(*COMMAND, "--write")
    assert answer.code == 0, answer.err
    stack = Stack.read(Workspace(root), "found")
    settings = stack.who.settings
    assert settings.agent.kind == "kubernetes"
    assert settings.agent.env_secrets == ("warehouse",)
    assert (settings.kubernetes.context, settings.kubernetes.namespace.name) == ("test", "dagster-cloud")
    assert settings.kubernetes.namespace.adopt, "what was there is not the stack's to remove"
    assert settings.registry.address == "r.test/acme"
    assert settings.pins["alpha"] == f"r.test/acme/alpha@{DIGEST}", "the digest that the nodes have pulled"
    (alpha, *_) = stack.folders
    assert alpha.container_context["k8s"] == {"env_config_maps": ["settings"]}
    again = call(*COMMAND, "--write")
    assert (again.code, "nothing; all is there" in again.err) == (0, True), "a second time there is nothing to write"


def test_several_agents_are_named_and_one_can_be_chosen(call, root, plus, helm):
    release(helm, "team-b", "other-agent")
    helm.server("hello-1", namespace="team-b")  # a code server is no agent
    answer = call(*COMMAND)
    assert "has several agents: dagster-cloud/user-cloud-dagster-cloud-agent, team-b/other-agent" in answer.err
    answer = call(*COMMAND, "--namespace", "team-b")
    assert "+      name: team-b" in answer.out
    assert "`hybrid:registry` has to say where new images go" in answer.out
    assert answer.code == 3, "no pod there tells a digest, so no place for images is known, and the program wants one"
    assert "There is no Deployment 'x'" in call(*COMMAND, "--namespace", "team-b", "--agent", "x").err


def test_no_agent_and_settings_that_are_nowhere_are_said(call, root, plus, fake):
    assert "No Deployment of the cluster looks like an agent." in call(*COMMAND).err
    release(fake, "a")
    fake.objects["configmaps", "a", "user-cloud-dagster-cloud-agent-instance"]["data"] = {}
    assert "are in no ConfigMap that it mounts" in call(*COMMAND).err


def test_an_agent_of_another_stack_is_a_danger(call, root, plus, helm):
    made = helm.objects["deployments", "dagster-cloud", "user-cloud-dagster-cloud-agent"]
    made["metadata"]["annotations"] = {}
    made["metadata"]["labels"] = {STACK_LABEL: "hybrid-live"}
    assert "it is of the stack hybrid-live already" in call(*COMMAND).out


def test_a_tag_that_stands_for_two_images_is_not_pinned(call, root, plus, helm):
    pod = helm.pod("alpha-2", namespace="dagster-cloud")
    pod["spec"]["containers"][0]["image"] = "r.test/acme/alpha:7"
    pod["status"]["containerStatuses"][0]["imageID"] = "r.test/acme/alpha@sha256:" + "cd" * 32
    answer = call(*COMMAND)
    assert "the digest of its image is not known, so it cannot be pinned" in answer.out


@pytest.mark.parametrize(
    "more", [("--cluster", "c"), ("--no-agent",), ("--cloudformation", "c"), ("--service", "s")], ids=lambda one: one[0]
)
def test_two_ways_to_say_which_agent_are_refused(call, root, plus, fake, more):
    answer = call(*COMMAND, *more)
    assert answer.code == 2
    assert "in one way" in answer.err


def test_what_narrows_a_context_needs_one(call, root, plus, fake):
    answer = call("adopt", "found", "--organization", "acme", "--no-agent", "--namespace", "a")
    assert answer.code == 2
