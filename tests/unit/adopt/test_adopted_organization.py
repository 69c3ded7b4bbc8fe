"""A whole adoption: an embedded Dagster+ whose locations the stock client has put, and the official template's agent in
moto; what is written, read by the program, against what Dagster+ has, as the provider compares them. The engine itself
does not run here: that it shows what the provider tells is tests/program's to prove. moto is no AWS, and no real
organization was asked."""

from __future__ import annotations

import json
import threading

import pytest
from dagster_cloud_cli.gql import add_or_update_code_location, graphql_client_from_url

from hybrid.adopt.account import Account
from hybrid.adopt.in_aws import InAws, WhichService
from hybrid.adopt.survey import Survey
from hybrid.engine.stack import Stack
from hybrid.plus import Endpoint, PlusClient
from hybrid.provider.code_location import CodeLocation
from hybrid.provider.connection import Clients
from hybrid.provider.resource import Call
from hybrid.redaction import Token
from hybrid.workspace import Workspace
from tests.emulated.served import ServedOrganization
from tests.unit.adopt.estate import ACCOUNT, CLUSTER, REGION, REGISTRY, STACK, TOKEN, dagster_yaml

pytestmark = pytest.mark.emulated

DIGEST = "sha256:" + "ab" * 32
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/own"
DOCUMENTS = {
    # its folder is in the checkout
    "hello": {
        "image": f"{REGISTRY}/hello@{DIGEST}",
        "code_source": {"module_name": "hello.definitions"},
        "container_context": {"ecs": {"task_role_arn": OWN_ROLE, "env_vars": ["A=2"], "run_resources": {"cpu": "512"}}},
    },
    "elsewhere": {
        "image": f"{REGISTRY}/elsewhere@{DIGEST}",
        "code_source": {"package_name": "elsewhere"},
        "working_directory": "/app",
        "container_context": {"ecs": {"task_role_arn": OWN_ROLE}},
    },
    "tagged": {
        "image": f"{REGISTRY}/tagged:7",
        "code_source": {"python_file": "definitions.py"},
        "git": {"commit_hash": "abc", "url": "https://example.com"},
    },
    "queued": {"image": "acme/queued:1", "code_source": {"module_name": "queued"}, "agent_queue": "gpu"},
}


class Said:
    def status(self, text):
        pass

    info = warning = status


@pytest.fixture(scope="module")
def plus(tmp_path_factory):
    with ServedOrganization(tmp_path_factory.mktemp("plus")) as served:
        with graphql_client_from_url(f"{served.url}/prod", served.token) as stock:
            for name, document in DOCUMENTS.items():
                add_or_update_code_location(stock, {"location_name": name, **document})
        yield served


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "locations" / "hello"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "hello"\nversion = "1"\ndependencies = ["dagster-cloud==1.13.27"]\n'
        '[tool.dg.project]\nroot_module = "hello"\n'
    )
    (folder / "container_context.yaml").write_text("ecs: {env_vars: [A=1]}\n")
    return tmp_path


@pytest.fixture
def adoption(plus, checkout, estate, monkeypatch):
    """What was written, of the official template's agent; ECR has the image that is named by a tag."""
    monkeypatch.setenv("DAGSTER_CLOUD_API_TOKEN", plus.token)
    monkeypatch.setattr("hybrid.adopt.in_aws.digest_of", lambda *_: DIGEST)
    endpoint = Endpoint.of("local", "prod", url=plus.url)
    document = dagster_yaml(launcher=estate.launcher, api={"url": plus.url})
    estate.agent("mine", document=document)
    with PlusClient(endpoint, Token(plus.token)) as client:
        which = WhichService(cluster=CLUSTER, service="mine")
        found = Survey(checkout, "prod", endpoint, "us", client, InAws(Account(REGION, ACCOUNT), which)).adoption()
    for path, text in found.files.items():
        (checkout / path).parent.mkdir(exist_ok=True)
        (checkout / path).write_text(text)
    return found


@pytest.fixture
def said(adoption, checkout):
    """By location, the document that the program of the written stack makes, with images by digest as it has them."""
    stack = Stack.read(Workspace(checkout), "prod")
    return {folder.name: stack.document(folder, image=f"{REGISTRY}/{folder.name}@{DIGEST}") for folder in stack.folders}


@pytest.fixture
def preview(plus, monkeypatch):
    """What a preview shows of an imported location that the program says is so: paths that change."""
    monkeypatch.setenv("DAGSTER_CLOUD_URL", plus.url)
    resource, call = CodeLocation(Clients()), Call(report=Said(), cancelled=threading.Event())

    def shown(id, document):
        found = resource.read(id, {}, {}, call)
        wanted = {**found.inputs, "document": document}
        return {change.path for change in resource.diff(found.inputs, found.outputs, wanted)}

    return shown


def test_the_first_preview_touches_no_location(adoption, checkout):
    stack = Stack.read(Workspace(checkout), "prod")
    assert stack.who.settings.phase == "prepare"
    assert stack.location_names == (), "the new agent is stood up, and nothing is registered"


def test_a_serving_preview_shows_no_change_of_what_names_its_digest(adoption, said, preview):
    assert preview("local/prod/hello", said["hello"]) == set()
    assert preview("local/prod/elsewhere", said["elsewhere"]) == set()
    assert preview("local/prod/hello", {**said["hello"], "attribute": "x"}), "a change would be seen"


def test_what_a_serving_preview_does_show_was_announced(adoption, said, preview):
    announced = {change.path: change.new for change in adoption.changes.pop("tagged")}
    assert announced == {
        "image": f"{REGISTRY}/tagged@{DIGEST}",
        "git.commit_hash": None,
        "git.url": None,
    }
    shown = preview("local/prod/tagged", said["tagged"])
    assert {path.removeprefix("document.").partition(".")[0] for path in shown} == {
        "image",
        "git",
    }
    assert set(adoption.changes) == {"tagged"}, "nothing is announced of the others"


def test_the_import_list_names_what_the_program_declares(adoption, checkout):
    listed = json.loads((checkout / "stacks" / "prod.import.json").read_text())["resources"]
    assert listed == [
        {"type": "dagsterhybrid:index:CodeLocation", "name": f"{name}-location", "id": f"local/prod/{name}"}
        for name in ("elsewhere", "hello", "tagged")
    ]


def test_what_the_agent_does_not_take_is_left(adoption):
    (left,) = adoption.left
    assert (left.name, "queue gpu" in left.why) == ("queued", True)


def test_no_file_holds_the_token(adoption, checkout):
    texts = [path.read_text() for path in checkout.rglob("*") if path.is_file()]
    assert len(texts) == 5, "two of the folder, an overlay, the stack's file and the list"
    assert not any(TOKEN in text for text in texts)


def test_an_agent_of_another_organization_is_not_adopted(plus, checkout, estate):
    endpoint = Endpoint.of("local", "prod", url=plus.url)
    with PlusClient(endpoint, Token(plus.token)) as client:
        survey = Survey(checkout, "prod", endpoint, "us", client, InAws(Account(REGION, ACCOUNT), WhichService(STACK)))
        with pytest.raises(Exception, match="is of 'acme', not of 'local'"):
            survey.adoption()
