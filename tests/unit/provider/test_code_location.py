"""`CodeLocation` against a Dagster+ in memory: adoption, drift, reloads, and that many locations ask once."""

from __future__ import annotations

from concurrent import futures

import pytest

from hybrid.delivery.told import VARIABLE, Told, write_told
from hybrid.errors import HybridError
from hybrid.plus import PlusUnreachable
from hybrid.provider.code_location import CodeLocation
from hybrid.provider.properties import UNKNOWN
from hybrid.provider.snapshot import Snapshot

pytestmark = pytest.mark.unit

DOCUMENT = {"code_source": {"package_name": "hello"}}


@pytest.fixture
def resource(clients):
    return CodeLocation(clients)


@pytest.fixture
def inputs(connection):
    return {"connection": connection, "name": "hello", "document": DOCUMENT}


def test_a_new_location_is_sent_under_its_name(resource, plus, inputs, call):
    made = resource.create(inputs, call)

    assert plus.documents == {"hello": {**DOCUMENT, "location_name": "hello"}}
    assert made.id == "my-team/prod/hello"


def test_a_location_that_is_there_as_declared_is_adopted_without_a_reload(resource, plus, inputs, call):
    plus.documents["hello"] = {**DOCUMENT, "location_name": "hello", "image": None, "attribute": {"empty": []}}

    resource.create(inputs, call)

    assert "put_location" not in plus.calls


def test_a_location_that_is_there_otherwise_is_put_right(resource, plus, inputs, call):
    plus.documents["hello"] = {"code_source": {"package_name": "other"}, "location_name": "hello"}

    resource.create(inputs, call)

    assert plus.documents["hello"]["code_source"] == DOCUMENT["code_source"]


def test_another_content_sends_the_same_document_again(resource, plus, inputs, call):
    made = resource.create({**inputs, "contentHash": "1"}, call)

    again = resource.update(made.id, made.outputs, {**inputs, "contentHash": "2"}, call)

    assert again.outputs["documentDigest"] == made.outputs["documentDigest"]
    assert again.outputs["revision"] != made.outputs["revision"], "what waits for the location must wait again"
    assert plus.calls.count("put_location") == 2, "agents reload a location when its document is sent"


def test_a_location_changed_behind_our_back_is_drift(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}

    plus.documents["hello"]["image"] = "other:1"
    resource._last_write = float("inf")  # as if the answer at hand were old

    found = resource.read(made.id, inputs, made.outputs, call)
    assert found.inputs == {"document": {**DOCUMENT, "image": "other:1"}}


def test_the_form_that_dagster_plus_gives_a_document_is_no_drift(resource, plus, inputs, call):
    made = _put_in_another_form(resource, plus, inputs, call)

    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}


def _put_in_another_form(resource, plus, inputs, call):
    sent = plus.put_location

    def in_another_form(document):
        sent({**document, "working_directory": "."})

    plus.put_location = in_another_form
    return resource.create(inputs, call)


def test_a_deleted_location_is_gone(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    resource.delete(made.id, inputs, made.outputs, call)
    resource.delete(made.id, inputs, made.outputs, call)

    assert resource.read(made.id, inputs, made.outputs, call) is None


def test_an_unreachable_dagster_plus_is_an_error_and_never_gone(resource, plus, inputs, call):
    plus.faults["location_documents"] = PlusUnreachable("Nobody answers.", reason="refused")

    with pytest.raises(PlusUnreachable):
        resource.read("my-team/prod/hello", inputs, {}, call)


def test_an_embedded_dagster_plus_that_is_down_keeps_the_location(resource, plus, inputs, call, report, tmp_path):
    (tmp_path / "api-token").touch()
    inputs["connection"] = {**inputs["connection"], "tokenFile": str(tmp_path / "api-token")}
    plus.faults["location_documents"] = PlusUnreachable("Nobody answers.", reason="refused")

    assert resource.read("id", inputs, {"documentDigest": "d"}, call).outputs == {"documentDigest": "d"}
    assert report.said[-1][0] == "warning"


def test_an_embedded_dagster_plus_that_is_hung_is_as_good_as_down(resource, plus, inputs, call, tmp_path):
    (tmp_path / "api-token").touch()
    inputs["connection"] = {**inputs["connection"], "tokenFile": str(tmp_path / "api-token")}
    plus.faults["location_documents"] = PlusUnreachable("No answer in time.", reason="timeout")

    assert resource.read("id", inputs, {"documentDigest": "d"}, call).outputs == {"documentDigest": "d"}, (
        "`up` must get as far as the process, which it starts anew"
    )


def test_an_organization_that_does_not_answer_is_an_error_not_a_deletion(resource, plus, inputs, call):
    plus.faults["location_documents"] = PlusUnreachable("No answer in time.", reason="timeout")

    with pytest.raises(PlusUnreachable):
        resource.read("id", inputs, {"documentDigest": "d"}, call)


def test_a_deployment_that_serverless_runs_is_not_pointed_at_hybrid_code(resource, plus, inputs, call):
    plus.agent_type = "SERVERLESS"

    with pytest.raises(HybridError, match="run by Serverless"):
        resource.create(inputs, call)

    assert "put_location" not in plus.calls, "its live locations would stop"


def test_a_location_of_a_hybrid_queue_may_live_beside_serverless_ones(resource, plus, inputs, call):
    plus.agent_type = "SERVERLESS"

    resource.create({**inputs, "document": {**DOCUMENT, "agent_queue": "own"}}, call)

    assert "put_location" in plus.calls


def test_an_import_finds_the_location_by_its_id(resource, plus, call, monkeypatch):
    monkeypatch.delenv("DAGSTER_CLOUD_URL", raising=False)
    plus.documents["hello"] = {**DOCUMENT, "location_name": "hello"}

    found = resource.read("my-team/prod/hello", {}, {}, call)

    assert found.inputs == {
        "connection": {"url": "https://my-team.dagster.cloud", "organization": "my-team", "deployment": "prod"},
        "name": "hello",
        "document": DOCUMENT,
    }
    assert resource.read("my-team/prod/other", {}, {}, call) is None
    with pytest.raises(HybridError, match="ORGANIZATION/DEPLOYMENT/NAME"):
        resource.read("hello", {}, {}, call)


def test_a_document_of_another_name_is_refused(resource, inputs):
    (failure,) = resource.check({**inputs, "document": {"location_name": "other"}})

    assert failure.path == "document.location_name"
    assert not resource.check({**inputs, "document": UNKNOWN})


def test_many_locations_that_are_read_together_ask_once(resource, plus, inputs, call):
    plus.documents = {f"l{number}": {**DOCUMENT, "location_name": f"l{number}"} for number in range(100)}

    with futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: resource.read("id", {**inputs, "name": name}, {}, call), plus.documents))

    assert plus.calls.count("location_documents") == 1


def test_a_snapshot_asked_before_a_write_does_not_answer_after_it():
    asked = iter(range(10))
    snapshot = Snapshot()
    first = snapshot.after(float("-inf"), lambda: next(asked))

    assert snapshot.after(float("-inf"), lambda: next(asked)) == first
    assert snapshot.after(float("inf"), lambda: next(asked)) != first


def test_a_location_that_serverless_runs_again_is_left_to_it(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    plus.agent_type = "SERVERLESS"

    resource.delete(made.id, inputs, made.outputs, call)

    assert "hello" in plus.documents, "a switch that was taken back would lose Serverless's own location"
    assert any(kind == "warning" and "stays" in text for kind, text in call.report.said)


def test_a_location_on_a_queue_of_ours_is_deleted_beside_serverless(resource, plus, inputs, call):
    queued = {**inputs, "document": {**DOCUMENT, "agent_queue": "mine"}}
    plus.agent_type = "SERVERLESS"
    made = resource.create(queued, call)

    resource.delete(made.id, queued, made.outputs, call)

    assert plus.documents == {}, "no agent of Serverless serves that queue"


def test_a_location_that_was_moved_back_to_serverless_is_left_to_it(resource, plus, inputs, call):
    queued = {**inputs, "document": {**DOCUMENT, "agent_queue": "mine"}}
    plus.agent_type = "SERVERLESS"
    made = resource.create(queued, call)
    plus.documents["hello"] = {**DOCUMENT, "location_name": "hello"}

    resource.delete(made.id, queued, made.outputs, call)

    assert "hello" in plus.documents, "the stack lets go of it; Serverless runs it again"


def test_what_was_told_for_this_update_is_not_sent_again_though_its_code_is_not_in_the_document(
    resource, plus, inputs, call, tmp_path, monkeypatch
):
    kept = {**DOCUMENT, "location_name": "hello", "a form": "of Dagster+'s own"}
    plus.documents["hello"] = kept
    write_told(tmp_path / "told.json", {"hello": Told.of(DOCUMENT, kept, "1")})
    monkeypatch.setenv(VARIABLE, str(tmp_path / "told.json"))

    resource.create({**inputs, "contentHash": "1"}, call)
    assert "put_location" not in plus.calls

    resource.create({**inputs, "contentHash": "2"}, call)
    assert plus.calls.count("put_location") == 1, "other code has to be loaded"


def test_what_was_changed_after_it_was_told_is_sent_again(resource, plus, inputs, call, tmp_path, monkeypatch):
    write_told(tmp_path / "told.json", {"hello": Told.of(DOCUMENT, DOCUMENT, None)})
    monkeypatch.setenv(VARIABLE, str(tmp_path / "told.json"))
    plus.documents["hello"] = {"code_source": {"package_name": "somebody's"}, "location_name": "hello"}

    resource.create(inputs, call)

    assert plus.documents["hello"]["code_source"] == DOCUMENT["code_source"]
