"""`hybrid review --offline` of stacks on Kubernetes and in Azure: the real program, with nobody behind it, at base and
head: what would be done, who would get or lose which rights, and why the agent starts anew."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.program.offline_checkout import Repository, said, steps

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(600)]

KUBERNETES = """config:
  hybrid:organization: acme
  hybrid:agent:
    kind: kubernetes
  hybrid:kubernetes:
    context: prod-cluster
  hybrid:registry:
    address: ghcr.io/acme
  hybrid:locations: [hello]
"""
AZURE = """config:
  hybrid:organization: acme
  hybrid:agent:
    kind: azure
  hybrid:azure:
    subscription: 00000000-1111-2222-3333-444444444444
    location: westeurope
  hybrid:locations: [hello]
"""
STACKS = {"cluster": KUBERNETES} | ({"azure": AZURE} if find_spec("pulumi_azure_native") else {})
"""Without `make azure` there is no program of an Azure stack to run."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    found = Repository.made(tmp_path_factory.mktemp("offline") / "origin")
    for name in ("prod", "staging", "laptop"):
        (found.root / "stacks" / f"Pulumi.{name}.yaml").unlink()
    for name, text in STACKS.items():
        found.write(f"stacks/Pulumi.{name}.yaml", text)
    found.commit("stacks of the clouds")
    return found


@pytest.fixture
def repository(origin: Repository, tmp_path: Path) -> Repository:
    return origin.cloned(tmp_path / "checkout")


@pytest.fixture(autouse=True)
def _azure_is_there(request: pytest.FixtureRequest) -> None:
    if "azure" in request.node.name and "azure" not in STACKS:
        pytest.skip("`make azure` installs Azure's libraries")


@pytest.mark.parametrize("stack", ["cluster", "azure"])
def test_where_nothing_changed_nothing_would_change(repository: Repository, stack: str) -> None:
    found = repository.review(stack, whole=True)
    assert found.standing == "present", said(found, "preview")
    assert (found.steps, found.restarts, found.images, found.iam) == ((), (), (), ())
    assert {each.standing for each in found.locations} == {"same"}, "the program was really run"


def test_a_further_namespace_of_a_cluster_is_told_with_every_right_that_it_gives(repository: Repository) -> None:
    repository.replace(
        "stacks/Pulumi.cluster.yaml", "context: prod-cluster\n", "context: prod-cluster\n    locationNamespaces: [ml]\n"
    )
    repository.replace(
        "stacks/Pulumi.cluster.yaml", "    kind: kubernetes\n", "    kind: kubernetes\n    serverTtl: {maxServers: 3}\n"
    )
    found = repository.review("cluster")
    granted = [statement for change in found.iam for statement in change.added]
    assert {each.resource for each in granted} == {"the namespace ml"}
    assert {"create", "delete"} <= {each.action.partition(" ")[0] for each in granted}
    assert any(each.principal for each in granted), "and to whom"
    assert not [statement for change in found.iam for statement in change.removed]
    assert "ConfigMap agent-settings" in {each.resource for each in found.restarts}, "a pod reads them when it starts"
    repository.commit("a further namespace")
    repository.git("branch", "--force", "main")
    repository.replace("stacks/Pulumi.cluster.yaml", "    locationNamespaces: [ml]\n", "")
    gone = [statement for change in repository.review("cluster").iam for statement in change.removed]
    assert sorted(map(str, gone)) == sorted(map(str, granted)), "taken out again, each is withdrawn"


def test_a_setting_that_needs_another_right_in_azure_is_told_with_it(repository: Repository) -> None:
    repository.replace("stacks/Pulumi.azure.yaml", "    kind: azure\n", "    kind: azure\n    isolated: false\n")
    found = repository.review("azure")
    assert steps(found)["ContainerApp agent-app"] == "update"
    (change,) = found.iam
    assert change.resource.startswith("RoleDefinition ")
    assert [each.action for each in change.added] == [
        "Microsoft.App/jobs/delete",
        "Microsoft.App/jobs/stop/action",
    ], "the agent ends runs itself"
    assert not change.removed
    assert [each.resource for each in found.restarts] == ["ContainerApp agent-app"]


def test_an_agent_in_azure_with_another_processor_restarts_and_asks_for_no_rights(repository: Repository) -> None:
    repository.replace("stacks/Pulumi.azure.yaml", "    kind: azure\n", "    kind: azure\n    cpu: 1\n")
    found = repository.review("azure")
    assert steps(found)["ContainerApp agent-app"] == "update"
    assert found.restarts[0].because[0] == "`resources` of its container"
    assert not found.iam
    assert not found.images


@pytest.mark.parametrize("stack", ["cluster", "azure"])
def test_a_new_stack_is_told_with_all_rights_and_shown_to_people(repository: Repository, stack: str) -> None:
    repository.write("stacks/Pulumi.second.yaml", STACKS[stack])
    found = repository.reviewed("second")["second"]
    made_up = {"cluster": "", "azure": "in a cloud or in other stacks was made up: getClientConfig, getSharedKeys."}
    assert said(found, "preview").endswith(made_up[stack])
    assert set(steps(found).values()) == {"create"}
    assert found.iam, "who may do what is what a reviewer looks for"
    assert all(not change.unknown for change in found.iam), "nothing of it has to wait for the update"
