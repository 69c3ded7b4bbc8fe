"""A stack in Azure is reviewed with nobody behind the program: no subscription, no login, no Pulumi. It needs Azure's
libraries, by whose classes the program speaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.review.reviewer import Request, review
from hybrid.workspace import Workspace
from tests.azure.answers import SUBSCRIPTION
from tests.program.offline_checkout import Repository, steps

pytestmark = [pytest.mark.program]

FILE = f"""config:
  hybrid:organization: acme
  hybrid:agent:
    kind: azure
  hybrid:azure:
    subscription: {SUBSCRIPTION}
    location: westeurope
  hybrid:locations: [hello]
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    found = Repository.made(tmp_path_factory.mktemp("azure") / "base")
    found.write("stacks/Pulumi.cloud.yaml", FILE)
    found.commit("a stack in Azure")
    return found


@pytest.fixture
def change(base: Repository, tmp_path: Path) -> Repository:
    return base.cloned(tmp_path / "change")


def test_a_larger_agent_and_a_way_out_are_told_with_dollars_before_and_after(change: Repository) -> None:
    change.replace(
        "stacks/Pulumi.cloud.yaml",
        "    kind: azure\n",
        "    kind: azure\n    cpu: 1\n",
    )
    change.replace("stacks/Pulumi.cloud.yaml", "westeurope\n", "westeurope\n    network: {nat: true}\n")
    (found,) = change.reviewed().values()
    told = steps(found)
    assert {name for name, operation in told.items() if operation == "create"} == {
        "NatGateway network-nat",
        "PublicIPAddress network-address",
    }
    assert told["ContainerApp agent-app"] == "update", "the agent's app has another size"
    assert not {name for name, operation in told.items() if operation in {"delete", "replace"}}
    assert any("agent-app" in restart.resource for restart in found.restarts), "and it starts anew"
    assert found.costs is not None
    assert (found.costs.before, found.costs.after) == (102.17, 178.09), "two apps, the load balancer, the registry"
    assert {line.what for line in found.costs.lines} == {"agent", "NAT gateways", "public addresses"}


def test_what_is_looked_up_in_azure_is_made_up_and_the_review_says_so(change: Repository) -> None:
    change.replace("stacks/Pulumi.cloud.yaml", "    kind: azure\n", "    kind: azure\n    cpu: 1\n")
    (found,) = change.reviewed().values()
    (missing,) = [each.why for each in found.missing if each.part == "preview"]
    assert "getSharedKeys" in missing, "nobody has the workspace's key in a review"


def test_a_stack_that_the_change_adds_is_new(change: Repository) -> None:
    change.write("stacks/Pulumi.second.yaml", FILE.replace("westeurope", "northeurope"))
    found = change.reviewed("second")["second"]
    assert set(steps(found).values()) == {"create"}
    assert found.costs is not None
    assert (found.costs.before, found.costs.after) == (None, 102.17)


def test_where_the_others_are_previewed_it_is_reviewed_from_its_program_and_says_why(change: Repository) -> None:
    """A job that only reads has no identity of Azure: it must neither fail nor be given one."""
    change.replace("stacks/Pulumi.cloud.yaml", "    kind: azure\n", "    kind: azure\n    cpu: 1\n")

    def no_pulumi() -> None:
        raise AssertionError("there is nothing else to preview")

    request = Request(workspace=Workspace(change.root), base="main")
    found = review(request, no_pulumi, lambda _: None)  # type: ignore[arg-type]
    (stack,) = found.stacks
    assert steps(stack)["ContainerApp agent-app"] == "update"
    assert stack.costs is not None
    assert not found.offline, "stacks elsewhere are looked at"
    assert "agent's token" in stack.missing[0].why, "the reason"
    assert {each.part for each in stack.missing} >= {"preview", "dagster_plus", "policies"}, "and what nobody looked at"
    assert "--secrets" in (stack.missing[0].next_step or ""), "who may change the stack can preview it"


def test_whoever_may_change_the_stack_previews_it(change: Repository) -> None:
    change.replace("stacks/Pulumi.cloud.yaml", "    kind: azure\n", "    kind: azure\n    cpu: 1\n")

    class AskedFor(Exception):
        pass

    def pulumi() -> None:
        raise AskedFor

    request = Request(workspace=Workspace(change.root), base="main", secrets=True)
    with pytest.raises(AskedFor):
        review(request, pulumi, lambda _: None)  # type: ignore[arg-type]
