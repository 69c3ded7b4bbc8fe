"""What `AgentReady` rests on, with a real agent: images that code servers report, failures that keep what was loaded,
and an embedded Dagster+ that is reached by another address than its first.

The agent starts processes, not containers: the image is what its environment says of itself (DAGSTER_CURRENT_IMAGE),
which is where code servers in containers have it from, too. 127.0.0.2 stands for the gateway that containers reach.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hybrid.plus import Endpoint, PlusClient
from hybrid.provider.agent_ready import AgentReady
from hybrid.provider.connection import Clients
from hybrid.provider.resource import Call, PartialError
from hybrid.redaction import Token
from tests.emulated.served import ServedOrganization

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform == "darwin", reason="of 127.0.0.0/8 macOS has 127.0.0.1 only"),
]

SECOND = "127.0.0.2"
IMAGE = f"registry.example/alpha@sha256:{'a' * 64}"
OTHER = f"registry.example/alpha@sha256:{'b' * 64}"
CODE = "import dagster as dg\n\n@dg.asset\ndef numbers() -> int:\n    return 1\n\ndefs = dg.Definitions([numbers])\n"


class Silent:
    def status(self, text: str) -> None: ...
    def info(self, text: str) -> None: ...
    def warning(self, text: str) -> None: ...


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOrganization]:
    with ServedOrganization(tmp_path_factory.mktemp("plus"), "--also-listen", SECOND) as served:
        served.url = f"http://{SECOND}:{served.port}"  # all that follows comes by the second address
        served.location("alpha", CODE)
        served.start_agent("ready", DAGSTER_CURRENT_IMAGE=IMAGE)
        served.until_loaded("alpha")
        yield served


def inputs(plus: ServedOrganization, image: str, *, seconds: float) -> dict[str, Any]:
    return {
        "connection": {
            "url": plus.url,
            "organization": "local",
            "deployment": "prod",
            "tokenFile": str(plus.data / "api-token"),
        },
        "agentLabel": "ready",
        "locations": {"alpha": "1"},
        "images": {"alpha": image},
        "queues": {},
        "triggers": {},
        "heartbeatTimeoutSeconds": 60,
        "timeoutSeconds": seconds,
    }


def test_the_image_that_a_code_server_reports_is_shown_though_the_document_names_none(plus: ServedOrganization) -> None:
    with PlusClient(Endpoint(plus.url, "local", "prod"), Token(plus.token)) as client:
        (status,) = client.code_locations()

    assert (status.image, status.reported_image) == (None, IMAGE), "it is of the agent's upload, not of the document"
    assert status.has_loaded(IMAGE)


def test_readiness_needs_the_expected_image_and_keeps_it_when_the_next_code_fails(plus: ServedOrganization) -> None:
    resource, call = AgentReady(Clients()), Call(Silent(), threading.Event())

    stood = resource.create(inputs(plus, IMAGE, seconds=60), call)
    assert stood.outputs["loaded"] == {"alpha": IMAGE}

    with pytest.raises(PartialError, match=f"alpha is loaded from the image {IMAGE}, not from {OTHER}"):
        resource.update("id", stood.outputs, inputs(plus, OTHER, seconds=1), call)

    plus.location("alpha", "import no_such_module_of_a_test\n")
    wanted = inputs(plus, IMAGE, seconds=120) | {"images": {}}
    with pytest.raises(PartialError) as caught:
        resource.update("id", stood.outputs, wanted, call)
    assert "No module named 'no_such_module_of_a_test'" in caught.value.sentence(), "the agent's traceback is kept"
    assert caught.value.outputs["failed"] == ["alpha"]
    assert caught.value.outputs["loaded"] == {"alpha": IMAGE}, "a rollback knows where to go back to"


def test_a_stored_definition_came_by_the_second_address(plus: ServedOrganization) -> None:
    log = (plus.folder / "emulator.log").read_text(encoding="utf-8")
    assert f"Also at http://{SECOND}:{plus.port}" in log
    assert f"url: {plus.url}" in (plus.folder / "ready" / "dagster.yaml").read_text(encoding="utf-8"), (
        "the agent, and with it what it uploads, knows no other address"
    )
