"""The service over a resource of the test: what is asked of it, and how its answers and errors travel.

The gRPC transport itself is proven by the program tests.
"""

from __future__ import annotations

import threading

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as wire
from pulumi.runtime.proto import status_pb2

from hybrid.errors import HybridError
from hybrid.provider.definition import Definition, Failure, Number, Property, Text
from hybrid.provider.properties import UNKNOWN, Secret, decode, encode
from hybrid.provider.report import EngineLog
from hybrid.provider.resource import Existing, PartialError, Resource
from hybrid.provider.server import Provider

pytestmark = pytest.mark.unit

TOKEN = "dagsterhybrid:index:Thing"
URN = f"urn:pulumi:dev::hybrid::my:Component${TOKEN}::thing"


class Thing(Resource):
    definition = Definition(
        "Thing",
        "A thing.",
        inputs={
            "name": Property(Text(), "its name", replaces=True),
            "size": Property(Number(1, 9), "its size", default=3),
            "password": Property(Text(), "secret", required=False, secret=True),
        },
        outputs={"key": Property(Text(), "a key", secret=True), "path": Property(Text(), "a path")},
    )

    def __init__(self):
        self.seen = []
        self.error = None
        self.gone = False

    def check(self, inputs):
        return [Failure("name", "must not be bad")] if inputs["name"] == "bad" else []

    def foreseen(self, inputs):
        return {"path": f"/{inputs['name']}"}

    def create(self, inputs, call):
        self.seen.append(inputs)
        if self.error:
            raise self.error
        return Existing("id-1", {"key": "swordfish-key", "path": f"/{inputs['name']}"})

    def read(self, id, inputs, outputs, call):
        return None if self.gone else Existing(id, outputs, {"size": 9})

    def update(self, id, outputs, inputs, call):
        return self.create(inputs, call)

    def delete(self, id, inputs, outputs, call):
        self.seen.append((id, inputs, outputs))


class Aborted(Exception):
    pass


class Context:
    def __init__(self):
        self.trailing = ()

    def abort(self, code, details):
        self.code, self.details = code, details
        raise Aborted

    def set_trailing_metadata(self, trailing):
        self.trailing = trailing


@pytest.fixture
def thing():
    return Thing()


@pytest.fixture
def cancelled():
    return threading.Event()


@pytest.fixture
def provider(thing, cancelled):
    return Provider({TOKEN: thing}, EngineLog(""), cancelled)


def test_check_fills_in_defaults_and_marks_secrets(provider):
    answer = provider.Check(wire.CheckRequest(urn=URN, news=encode({"name": "a", "password": "pass-word"})), Context())

    assert decode(answer.inputs) == {"name": "a", "size": 3, "password": Secret("pass-word")}
    assert not answer.failures


@pytest.mark.parametrize(
    ("inputs", "named"),
    [({"name": "a", "size": 10}, "size"), ({}, "name"), ({"name": "bad"}, "name"), ({"name": "a", "sise": 1}, "sise")],
)
def test_check_names_the_wrong_input(provider, inputs, named):
    answer = provider.Check(wire.CheckRequest(urn=URN, news=encode(inputs)), Context())

    assert [failure.property for failure in answer.failures] == [named]


def test_diff_says_what_replaces(provider):
    old, new = encode({"name": "a", "size": 3}), encode({"name": "b", "size": 4})
    answer = provider.Diff(wire.DiffRequest(urn=URN, old_inputs=old, olds=old, news=new), Context())

    assert answer.changes == wire.DiffResponse.DIFF_SOME
    assert list(answer.replaces) == ["name"]
    assert answer.detailedDiff["name"].kind == wire.PropertyDiff.UPDATE_REPLACE
    assert answer.detailedDiff["size"].kind == wire.PropertyDiff.UPDATE


def test_diff_of_equal_inputs_is_none_and_ignored_changes_are_ignored(provider):
    old, new = encode({"name": "a", "size": 3}), encode({"name": "a", "size": 4})

    same = provider.Diff(wire.DiffRequest(urn=URN, old_inputs=old, olds=old, news=old), Context())
    ignored = provider.Diff(
        wire.DiffRequest(urn=URN, old_inputs=old, olds=old, news=new, ignoreChanges=["size"]), Context()
    )

    assert same.changes == ignored.changes == wire.DiffResponse.DIFF_NONE


def test_a_preview_asks_nothing_of_the_resource(provider, thing):
    request = wire.CreateRequest(urn=URN, properties=encode({"name": "a", "size": 3}), preview=True)
    answer = decode(provider.Create(request, Context()).properties)
    unknown = wire.CreateRequest(urn=URN, properties=encode({"name": UNKNOWN, "size": 3}), preview=True)

    assert answer["path"] == "/a", "what can be foreseen is"
    assert answer["key"] == Secret(UNKNOWN)
    assert decode(provider.Create(unknown, Context()).properties)["path"] is UNKNOWN
    assert not thing.seen


def test_create_gets_plain_inputs_and_answers_marked_secrets(provider, thing):
    inputs = {"name": "a", "size": 3, "password": Secret("pass-word")}
    answer = provider.Create(wire.CreateRequest(urn=URN, properties=encode(inputs)), Context())

    assert thing.seen == [{"name": "a", "size": 3, "password": "pass-word"}]
    assert answer.id == "id-1"
    assert decode(answer.properties) == {**inputs, "key": Secret("swordfish-key"), "path": "/a"}


def test_read_answers_drift_in_inputs_and_keeps_secrets_marked(provider):
    inputs = {"name": "a", "size": 3, "password": Secret("pass-word")}
    state = {**inputs, "key": Secret("swordfish-key"), "path": "/a"}
    request = wire.ReadRequest(id="id-1", urn=URN, inputs=encode(inputs), properties=encode(state))
    answer = provider.Read(request, Context())

    assert decode(answer.inputs) == {**inputs, "size": 9}
    assert decode(answer.properties) == {**state, "size": 9}


def test_what_is_gone_has_no_id(provider, thing):
    thing.gone = True

    answer = provider.Read(wire.ReadRequest(id="id-1", urn=URN, inputs=encode({"name": "a"})), Context())

    assert answer.id == ""


def test_an_import_that_cannot_be_is_refused_with_the_reason(provider, thing):
    thing.import_refusal = "Nobody knows its password."
    context = Context()
    with pytest.raises(Aborted):
        provider.Read(wire.ReadRequest(id="id-1", urn=URN), context)

    assert "The Thing 'id-1' cannot be imported.\nNobody knows its password." in context.details


def test_an_error_travels_with_its_next_step_and_without_secrets(provider, thing):
    thing.error = HybridError("It broke over pass-word.", next_step="mend it.")
    context = Context()
    with pytest.raises(Aborted):
        provider.Create(
            wire.CreateRequest(urn=URN, properties=encode({"name": "a", "password": Secret("pass-word")})), context
        )

    assert context.details == "It broke over [redacted].\nNext: mend it."


def test_a_fault_of_ours_is_told_with_its_place_and_without_secrets(provider, thing):
    thing.error = ZeroDivisionError("over pass-word")
    context = Context()
    with pytest.raises(Aborted):
        provider.Create(
            wire.CreateRequest(urn=URN, properties=encode({"name": "a", "password": Secret("pass-word")})), context
        )

    assert context.code is grpc.StatusCode.INTERNAL
    assert "Fault in the provider" in context.details
    assert "test_server.py" in context.details
    assert "pass-word" not in context.details


def test_what_was_half_made_is_kept_with_its_secrets_marked(provider, thing):
    cause = HybridError("Only half.", next_step="again.")
    thing.error = PartialError(cause, id="id-2", outputs={"key": "swordfish-key", "path": "/a"})
    context = Context()
    with pytest.raises(Aborted):
        provider.Create(wire.CreateRequest(urn=URN, properties=encode({"name": "a", "size": 3})), context)

    ((name, packed),) = context.trailing
    assert name == "grpc-status-details-bin"
    detail = wire.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(packed).details[0].Unpack(detail)
    assert detail.id == "id-2"
    assert decode(detail.properties)["key"] == Secret("swordfish-key")
    assert list(detail.reasons) == ["Only half.\nNext: again."]


def test_an_unknown_type_is_named(provider):
    context = Context()
    with pytest.raises(Aborted):
        provider.Create(wire.CreateRequest(urn=URN.replace("Thing", "Thong")), context)

    assert "There is no resource type 'dagsterhybrid:index:Thong'." in context.details


def test_cancel_answers_at_once_and_tells_those_who_wait(provider, cancelled):
    provider.Cancel(empty_pb2.Empty(), Context())

    assert cancelled.is_set()


def test_delete_gets_the_id_and_plain_values(provider, thing):
    provider.Delete(
        wire.DeleteRequest(
            id="id-1",
            urn=URN,
            old_inputs=encode({"name": "a"}),
            properties=encode({"name": "a", "key": Secret("swordfish-key")}),
        ),
        Context(),
    )

    ((id, inputs, outputs),) = thing.seen
    assert (id, outputs["key"]) == ("id-1", "swordfish-key")
    assert inputs == {"name": "a", "size": 3}, "state of a version with fewer inputs gets their defaults"
