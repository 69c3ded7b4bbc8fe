"""The Azure stack from end to end, as `hybrid up` makes it: Pulumi's real engine and the whole program, a real registry
behind Azure's logins, the real agent with Dagster's launcher and Azure's SDK in a container, code servers and runs in
theirs. Azure is the STAND-IN of tests/standins/azure, which judges every call by the roles that the program assigns;
Dagster+ is the embedded one, and Pulumi's azure-native plugin what the header of the session says.

The tests of this module follow one stack through its life, in order. They cannot show that Azure accepts a resource,
decides so about rights or how long either takes, networks, Azure's own registry, nor Log Analytics' delay.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.azure_names import STACK_TAG
from agent.azure_roles import agent_rights
from tests.azure.azure_checkout import AzureCheckout
from tests.azure.cloud import PERSON, AzureCloud
from tests.containers.stand import Containers
from tests.emulated.served import ServedOrganization
from tests.emulated.stack_checkout import STACK

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

_RUN = "query($id: ID!) { found: runOrError(runId: $id) { ... on Run { status } } }"
_TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
_STAYS = {
    "Microsoft.Resources/subscriptions/resourceGroups",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
}
"""What has the team's data, or holds what has it."""
_ONE_EACH = {"alpha": 1, "beta": 1}


@pytest.fixture(scope="module")
def stack(
    azure_cloud: AzureCloud,
    containers: Containers,
    azure_agent_image: str,
    azure_plugin_path: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AzureCheckout]:
    said = ["--also-listen", azure_cloud.gateway, "--organization", "acme", "--deployment", STACK]
    with ServedOrganization(tmp_path_factory.mktemp("plus"), *said) as plus:
        root = tmp_path_factory.mktemp("stack")
        place = AzureCheckout(root, azure_cloud, plus, containers, azure_agent_image, azure_plugin_path)
        yield place
        place.destroy()


def status_of(stack: AzureCheckout, run: str) -> str:
    return str(stack.plus.ask(_RUN, id=run)["found"]["status"])


def alone(stack: AzureCheckout) -> None:
    """Wait until the last agent's predecessor has ended, and its servers with it."""
    stack.until(
        lambda: len(stack.agents()) == 1 and {one: len(apps) for one, apps in stack.servers().items()} == _ONE_EACH,
        seconds=180,
        what="one agent runs with its own servers",
    )


def started(stack: AzureCheckout) -> str:
    """The id of a run that has started, and goes on."""
    alone(stack)
    answer = stack.hybrid("run", STACK, "beta", "sleeping", "--no-wait", "--json")
    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    run = str(answer.document["run_id"])
    stack.until(lambda: status_of(stack, run) == "STARTED", seconds=90, what="the run has started")
    return run


def test_a_preview_changes_nothing_anywhere(stack: AzureCheckout, azure_plugin_path: str) -> None:
    answer = stack.hybrid("preview", STACK)

    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    assert stack.writes() == [], "a preview only reads"
    assert stack.decisions(PERSON), "but it does look at the subscription"
    assert stack.tokens() == {}, "and makes no token"
    assert ("STAND-IN for Pulumi's plugin" in answer.err) is bool(azure_plugin_path), "whoever reads it knows by what"


def test_up_ends_when_all_locations_are_loaded_from_the_images_that_were_pushed(stack: AzureCheckout) -> None:
    stack.up()

    status = stack.status()
    assert [agent["status"] for agent in status["agents"]] == ["RUNNING"]
    assert {each["name"]: each["load_status"] for each in status["locations"]} == {"alpha": "LOADED", "beta": "LOADED"}
    for location in status["locations"]:
        repository = f"{stack.names.registry}.azurecr.io/{stack.names.base}/{location['name']}@sha256:"
        assert location["image"].startswith(repository), "a tag could be moved; a digest is what was pushed"


def test_agent_and_code_are_two_identities_and_all_bears_the_stacks_tag(stack: AzureCheckout) -> None:
    code = stack.names.identity_id("code")
    for thing in stack.cloud.arm.named("containerApps"):
        mine = stack.names.identity_id("agent") if thing.name == stack.names.agent_app else code
        assert [each.lower() for each in thing.identities] == [mine.lower()], f"{thing.name} has another identity"
    for stored in stack.cloud.arm.resources.things.values():
        if "location" in stored.body:
            assert (stored.body.get("tags") or {}).get(STACK_TAG) == stack.names.base, (
                f"{stored.address.id} is nobody's"
            )


def test_a_run_is_a_job_that_ends_in_success_with_the_identity_of_code(stack: AzureCheckout) -> None:
    answer = stack.hybrid("run", STACK, "alpha", "greeting", "--json")
    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"

    job = stack.job_of(answer.document["run_id"])
    assert job is not None, "a run is a job of its own"
    stack.until(lambda: job.started[0][1].exit_code == 0, seconds=30, what="its execution has ended well")
    assert f"loaded with hello as {stack.client_of('code')}" in stack.cloud.printed(job.name), (
        "by which it also got a token of Azure's: without one the run had failed"
    )


def test_a_run_that_fails_ends_in_failure(stack: AzureCheckout) -> None:
    answer = stack.hybrid("run", STACK, "beta", "failing", "--json")

    assert answer.code == 9, f"{answer.err}\n{stack.trouble()}"
    assert answer.document["status"] == "FAILURE"


def test_a_terminated_run_is_canceled_and_its_container_ends(stack: AzureCheckout) -> None:
    run = started(stack)

    stack.plus.ask(_TERMINATE, id=run)

    stack.until(lambda: status_of(stack, run) == "CANCELED", seconds=120, what="the run is canceled")
    job = stack.job_of(run)
    assert job is not None, "where agents are isolated a run ends by itself, and its job stays as all do"
    stack.until(lambda: stack.cloud.containers(job.name) == [], seconds=60, what="nothing of the run goes on")


def test_an_up_with_nothing_to_do_touches_nothing(stack: AzureCheckout) -> None:
    before, servers = len(stack.cloud.rights.decisions), stack.servers()

    answer = stack.up()

    assert "Nothing had to change" in answer.err, answer.err
    assert stack.writes(before) == []
    assert stack.servers() == servers, "no code server was started anew"


def test_code_that_fails_in_its_container_shows_its_traceback(stack: AzureCheckout) -> None:
    stack.code("alpha", "two", broken=True)

    answer = stack.hybrid("up", STACK, "--yes")

    assert answer.code != 0
    assert "only in the container" in answer.err, answer.err


def test_a_change_of_code_touches_its_own_location_only(stack: AzureCheckout) -> None:
    images, servers, before = stack.images(), stack.servers(), len(stack.cloud.rights.decisions)
    stack.code("alpha", "three")

    stack.up()

    after = stack.images()
    assert after["alpha"] != images["alpha"], "another content is another digest"
    assert after["beta"] == images["beta"]
    assert stack.writes(before) == [], "it is told to Dagster+; nothing in Azure is another"
    stack.until(
        lambda: stack.servers().get("alpha", set()).isdisjoint(servers["alpha"]),
        seconds=90,
        what="this one's former server is gone",
    )
    assert stack.servers()["beta"] == servers["beta"], "the other location's server goes on"


def test_the_logs_of_the_agent_and_of_a_location_are_read_from_log_analytics(stack: AzureCheckout) -> None:
    said = stack.hybrid("agent", "logs", STACK, "-n", "500")
    of_code = stack.hybrid("agent", "logs", STACK, "--location", "alpha")

    assert said.code == 0, said.err
    assert "dagster_cloud" in said.out
    assert of_code.code == 0, of_code.err
    assert "Started Dagster code server" in of_code.out, of_code.out


def test_a_restart_leaves_no_moment_without_an_agent(stack: AzureCheckout) -> None:
    before = set(stack.agents())
    seen: list[int] = []

    restart, said = stack.start("agent", "restart", STACK, "--yes"), ""
    while restart.returncode is None:
        seen.append(len(stack.agents()))
        with suppress(subprocess.TimeoutExpired):
            _, said = restart.communicate(timeout=0.2)

    assert restart.returncode == 0, f"{said}\n{stack.trouble()}"
    stack.until(
        lambda: (now := set(stack.agents())) and before.isdisjoint(now), seconds=150, what="another revision runs"
    )
    assert min(seen) >= 1, "the new revision starts before the old one goes"


def test_an_upgrade_starts_the_agent_from_another_image_and_each_location_with_it(
    stack: AzureCheckout, azure_agent_image: str, tmp_path: Path
) -> None:
    repository = azure_agent_image.partition("@")[0]
    former, wanted = f"{repository}:1.13.26", f"{repository}:1.13.27"
    _retag(stack.containers, azure_agent_image, tmp_path, wanted)
    stack.change("agent", image=former)  # there is none of that name: had anything pulled it, this would not end well
    alone(stack)  # else the agent of the test before may not have made its servers yet
    before, servers, images = set(stack.agents()), stack.servers(), stack.images()

    answer = stack.hybrid("agent", "upgrade", STACK, "--yes")

    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    assert stack.settings["agent"]["image"] == wanted, "the stack's file says what runs"
    stack.until(
        lambda: (now := set(stack.agents())) and before.isdisjoint(now), seconds=150, what="another revision runs"
    )
    (name,) = stack.agents()
    assert stack.containers.run("inspect", "--format", '{{index .Config.Labels "upgraded"}}', name).strip() == "yes"
    alone(stack)
    assert all(now.isdisjoint(servers[location]) for location, now in stack.servers().items()), "each started anew"
    assert stack.images() == images, "from the images that they had"


def _retag(containers: Containers, image: str, folder: Path, reference: str) -> None:
    """Push what differs from ``image`` in a label alone: an image by digest has no version to go on from."""
    (folder / "Dockerfile").write_text(f"FROM {image}\nLABEL upgraded=yes\n")
    containers.run("build", "--quiet", "--tag", reference, str(folder))
    containers.run("push", "--quiet", reference)


def test_a_new_token_takes_the_place_of_the_former_one(stack: AzureCheckout) -> None:
    (before,) = [token for token, good in stack.tokens().items() if good]

    answer = stack.hybrid("agent", "rotate-token", STACK, "--yes", "--wait-seconds", "120")

    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    (after,) = [token for token, good in stack.tokens().items() if good]
    assert after != before


def test_the_token_is_a_secret_of_the_agents_app_and_lies_in_no_other_resource(stack: AzureCheckout) -> None:
    (secret,) = stack.cloud.arm.resources.of_kind("Microsoft.KeyVault/vaults/secrets")
    assert secret.secret
    agent = stack.cloud.arm.things["containerApps", stack.names.agent_app]
    assert secret.secret not in json.dumps(agent.body)
    assert not any(secret.secret in json.dumps(each.body) for each in stack.cloud.arm.resources.things.values())
    assert secret.secret not in stack.cloud.printed(stack.names.agent_app), "nor in the agent's log"

    def in_servers() -> bool:
        servers = [each for each in stack.cloud.arm.named("containerApps") if each.name != stack.names.agent_app]
        return bool(servers) and all(secret.secret in json.dumps(each.body) for each in servers)

    # if this comes about no more, the launcher has learnt to keep the token out of apps: take the warnings of
    # stacks/azure.py, hybrid doctor and docs/azure.md back
    stack.until(in_servers, seconds=120, what="the new agent's servers have the token, as people are warned")


def test_a_killed_run_is_reported_as_failed(stack: AzureCheckout) -> None:
    run = started(stack)
    job = stack.job_of(run)
    assert job is not None

    stack.containers.run("kill", *stack.cloud.containers(job.name))

    stack.until(lambda: status_of(stack, run) == "FAILURE", seconds=180, what="the run has failed")


def test_the_agent_was_denied_nothing_and_needed_each_of_its_rights(stack: AzureCheckout) -> None:
    agent, code = stack.client_of("agent"), stack.client_of("code")
    used = {each.action for each in stack.decisions(agent, code) if each.allowed}
    rights = {right.action for right in agent_rights(isolated=True)}
    reads = {
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Microsoft.ContainerRegistry/registries/pull/read",
    }

    assert [each for each in stack.decisions(agent, code) if not each.allowed] == [], "a role is missing"
    assert used == rights | reads, "what is used is granted, and what nobody uses need not be"


def test_an_agent_that_is_not_isolated_ends_a_run_by_its_job_and_removes_that(stack: AzureCheckout) -> None:
    stack.change("agent", isolated=False)
    stack.up()
    run = started(stack)

    stack.plus.ask(_TERMINATE, id=run)

    stack.until(lambda: status_of(stack, run) == "CANCELED", seconds=120, what="the run is canceled")
    stack.until(lambda: stack.job_of(run) is None, seconds=60, what="its job is deleted")
    used = {each.action for each in stack.decisions(stack.client_of("agent")) if each.allowed}
    assert {right.action for right in agent_rights(isolated=False)} <= used, "each of the rights is needed"


def test_down_leaves_nothing_but_what_has_data(stack: AzureCheckout) -> None:
    answer = stack.hybrid("down", STACK, "--yes")

    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    left = {each.address.kind for each in stack.cloud.arm.resources.things.values()}
    assert left <= _STAYS, "all else is gone"
    assert "Microsoft.Storage/storageAccounts/blobServices/containers" in left, "the team's values stay"
    assert [thing.name for kind in ("containerApps", "jobs") for thing in stack.cloud.arm.named(kind)] == []
    stack.until(lambda: stack.cloud.containers() == [], seconds=60, what="no container is left")
    assert stack.cloud.rights.assigned == {}, "nobody has a right any more"
    assert not any(stack.tokens().values()), "the token is revoked"
    assert stack.plus.load_states(STACK) == {}, "and Dagster+ knows none of its locations"
    assert stack.cloud.rights.denied == []
