"""The same stack for an organization: an address of its own and a token from the environment.

Dagster+ is an emulator that runs by itself, as an organization does. What only real Dagster+ can show (its own wording,
its rights) is for the live tier.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hybrid.plus import Endpoint, PlusClient, api_token
from tests.emulated.checkout import Answer, Checkout, until
from tests.ports import free_port

pytestmark = pytest.mark.emulated


@dataclass
class Organization:
    """An organization, and a checkout whose stack `local` serves it."""

    url: str
    data: Path
    checkout: Checkout

    @property
    def token(self) -> str:
        return (self.data / "api-token").read_text().strip()

    def hybrid(self, *arguments: str, token: str | None = None) -> Answer:
        return self.checkout.hybrid(*arguments, DAGSTER_CLOUD_API_TOKEN=token or self.token)

    def client(self) -> PlusClient:
        endpoint = Endpoint(url=self.url, organization="acme", deployment="staging")
        return PlusClient(endpoint, api_token({"DAGSTER_CLOUD_API_TOKEN": self.token}, None))


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Organization]:
    data, port = tmp_path_factory.mktemp("organization") / "data", free_port()
    command = [sys.executable, "-m", "hybrid.emulator", "--data", str(data), "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--organization", "acme", "--deployment", "staging"], stderr=subprocess.DEVNULL
    )
    until((data / "api-token").exists, seconds=30, what="the organization answers")
    url = f"http://127.0.0.1:{port}"
    checkout = Checkout(tmp_path_factory.mktemp("serving") / "checkout", shared=environments)
    checkout.location("alpha")
    (checkout.root / "stacks" / "Pulumi.local.yaml").write_text(
        f"config:\n  hybrid:organization: acme\n  hybrid:url: {url}\n  hybrid:deployment: staging\n"
    )
    place = Organization(url, data, checkout)
    yield place
    place.hybrid("down", "local", "--yes")
    checkout.destroy()
    server.terminate()
    server.wait(timeout=20)


def test_nothing_is_changed_for_an_organization_without_agreement(organization: Organization) -> None:
    answer = organization.hybrid("up", "local")
    assert answer.code == 2, answer.err
    assert "--yes" in answer.err


@pytest.mark.parametrize(
    ("token", "code", "words"),
    [("", 3, "DAGSTER_CLOUD_API_TOKEN"), ("has spaces in it", 3, "DAGSTER_CLOUD_API_TOKEN")],
    ids=["missing", "malformed"],
)
def test_a_token_that_cannot_be_one_is_told_before_anything_starts(
    organization: Organization, token: str, code: int, words: str
) -> None:
    answer = organization.checkout.hybrid("up", "local", "--yes", DAGSTER_CLOUD_API_TOKEN=token)
    assert answer.code == code, answer.err
    assert words in answer.err
    assert not organization.checkout.processes(), "nothing was started"


def test_a_token_that_is_refused_is_told_and_not_shown(organization: Organization) -> None:
    wrong = "user:acme:" + "d" * 32
    answer = organization.hybrid("up", "local", "--yes", token=wrong)
    assert answer.code == 8, answer.err
    assert wrong not in answer.err + answer.out, "a wrong token is somebody's token"
    assert "Traceback" not in answer.err
    assert "does not accept the API token" in answer.err
    assert not organization.checkout.processes(), "nothing was started"


def test_an_unknown_deployment_is_told_before_anything_starts(organization: Organization) -> None:
    file = organization.checkout.root / "stacks" / "Pulumi.local.yaml"
    before = file.read_text()
    try:
        file.write_text(before.replace("deployment: staging", "deployment: nonesuch"))
        answer = organization.hybrid("up", "local", "--yes")
        assert answer.code == 8, answer.err
        assert "nonesuch" in answer.err, "which deployment is unknown"
        assert not organization.checkout.processes(), "nothing was started"
    finally:
        file.write_text(before)


def test_the_stack_serves_the_organization(organization: Organization) -> None:
    answer = organization.hybrid("up", "local", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["organization"] == "acme"
    assert answer.document["deployment"] == "staging"
    assert [location["load_status"] for location in answer.document["locations"]] == ["LOADED"]
    assert not organization.checkout.commands("hybrid.emulator"), "there is no emulator of the stack's own"


def test_the_agent_s_token_is_narrowed_to_its_deployment(organization: Organization) -> None:
    with organization.client() as client:
        tokens = [token for token in client.agent_tokens() if not token.revoked]
    assert len(tokens) == 1, "one token for one agent"
    grants = tokens[0].grants
    assert grants is not None
    assert not grants.organization, "a new token may serve the whole organization until it is narrowed"
    assert set(grants.deployments) == {"staging"}


def test_a_location_that_the_stack_does_not_know_is_left_alone(organization: Organization) -> None:
    document = {"location_name": "someone_elses", "code_source": {"module_name": "nonesuch"}, "image": "x@sha256:1"}
    with organization.client() as client:
        client.put_location(document)
        organization.hybrid("up", "local", "--yes")
        assert "someone_elses" in client.location_documents(), "only what the stack made is the stack's"
        client.delete_location("someone_elses")


def test_a_token_that_was_revoked_is_made_anew_and_the_agent_comes_back(organization: Organization) -> None:
    with organization.client() as client:
        for token in client.agent_tokens():
            if not token.revoked:
                client.revoke_agent_token(token.id)
    answer = organization.hybrid("up", "local", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert "RUNNING" in [agent["status"] for agent in answer.document["agents"]]
    assert len(organization.checkout.agents()) == 1


def test_an_organization_that_is_out_of_reach_is_an_error_not_a_deletion(organization: Organization) -> None:
    file = organization.checkout.root / "stacks" / "Pulumi.local.yaml"
    before = file.read_text()
    try:
        file.write_text(before.replace(organization.url, f"http://127.0.0.1:{free_port()}"))
        answer = organization.hybrid("status", "local")
        assert answer.code == 8, answer.err
    finally:
        file.write_text(before)


def test_doctor_asks_the_organization_and_saves_a_redacted_answer(organization: Organization, tmp_path: Path) -> None:
    answer = organization.hybrid("doctor", "local", "--org", "--json", "--save", str(tmp_path / "answer.json"))
    assert answer.document["organization"]["organization"] == "acme", answer.err
    assert organization.token not in (tmp_path / "answer.json").read_text()
    assert organization.token not in answer.out + answer.err


def test_down_takes_from_the_organization_what_the_stack_made(organization: Organization) -> None:
    answer = organization.hybrid("down", "local", "--yes")
    assert answer.code == 0, answer.err
    with organization.client() as client:
        assert client.location_documents() == {}, "the stack's location is gone"
        assert [token for token in client.agent_tokens() if not token.revoked] == [], "its token is revoked"
