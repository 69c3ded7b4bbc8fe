"""`LocationCheck`: when it runs the location's code, and how what it finds travels."""

from __future__ import annotations

import json
import threading

import pytest
from pulumi.runtime.proto import provider_pb2 as wire

from hybrid.errors import HybridError
from hybrid.provider.location_check import LocationCheck
from hybrid.provider.properties import UNKNOWN, encode
from hybrid.provider.report import EngineLog
from hybrid.provider.resource import Call, CancelledError
from hybrid.provider.server import Provider
from tests.emulated.checkout import until

pytestmark = pytest.mark.unit

URN = "urn:pulumi:dev::hybrid::dagsterhybrid:index:LocationCheck::hello-check"


@pytest.fixture
def ran(tmp_path):
    """A file that is there once the location's code ran."""
    return tmp_path / "ran"


@pytest.fixture
def loads(tmp_path, ran):
    """Let the definitions load, or fail with this text."""

    def put(failure=None):
        event = (
            f"Validation failed for code location x:\n\n{failure}"
            if failure
            else "All code locations passed validation."
        )
        said = json.dumps({"event": event})
        script = tmp_path / "environment/bin/dagster"
        script.write_text(f"#!/bin/sh\ntouch {ran}\ncat <<'END'\n{said}\nEND\nexit {1 if failure else 0}\n")
        script.chmod(0o755)

    return put


@pytest.fixture
def inputs(tmp_path, loads):
    folder = tmp_path / "locations/hello"
    (folder / "src").mkdir(parents=True)
    (tmp_path / "environment/bin").mkdir(parents=True)
    for name in ("dagster", "dagster_cloud"):
        info = tmp_path / f"environment/lib/python3.11/site-packages/{name}-1.13.27.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.13.27\n")
    loads()
    return LocationCheck.definition.complete(
        {
            "name": "hello",
            "folder": str(folder),
            "executable": str(tmp_path / "environment/bin/python"),
            "workingDirectory": str(folder / "src"),
            "codeSource": {"module_name": "hello"},
            "document": {"code_source": {"module_name": "hello"}},
            "contentHash": "a",
            "agentVersion": "1.13.27",
            "platform": "docker",
        }
    )


resource = LocationCheck()


def test_a_location_that_passes_is_stated_once_and_read_as_stated(inputs, call, ran):
    made = resource.create(inputs, call)

    assert made.outputs["findings"] == []
    assert ran.exists()
    ran.unlink()
    assert resource.read(made.id, inputs, made.outputs, call).outputs == made.outputs
    assert resource.diff(inputs, made.outputs, dict(inputs)) == []
    resource.delete(made.id, inputs, made.outputs, call)
    assert not ran.exists(), "a refresh, an unchanged location and its end run nothing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contentHash", "b"),
        ("agentVersion", "1.13.28"),
        ("environment", {"A": "1"}),
        ("given", {"tags": ["team"]}),
        ("document", {"code_source": {"module_name": "hello"}, "agent_queue": "q"}),
    ],
)
def test_what_changes_is_checked_again_and_stated_anew(inputs, call, name, value):
    made = resource.create(inputs, call)
    changed = {**inputs, name: value}

    (change,) = resource.diff(inputs, made.outputs, changed)

    assert change.path.partition(".")[0] == name
    assert not change.replaces
    assert resource.update(made.id, made.outputs, changed, call).outputs["passed"] != made.outputs["passed"]


def test_all_that_is_wrong_is_one_error_without_secrets(inputs, call, loads):
    loads("ValueError: postgres://me:swordfish@host")
    wrong = {**inputs, "document": {**inputs["document"], "imge": "x"}, "agentVersion": "1.13.26"}

    with pytest.raises(HybridError) as raised:
        resource.create(wrong, call)

    said = raised.value.sentence()
    assert "3 things are wrong with the code location hello" in said
    assert all(text in said for text in ("`image`", "newer than", "ValueError"))
    assert "swordfish" not in said


def test_what_the_stack_needs_reaches_the_gate(inputs, call):
    with pytest.raises(HybridError, match="dagster-aws is not in its environment, and runs write by it"):
        resource.create({**inputs, "given": {"packages": {"dagster-aws": "runs write by it"}}}, call)


def test_warnings_are_reported_and_kept_and_stop_nothing(inputs, call, report):
    context = {"ecs": {"envvars": []}}

    made = resource.create({**inputs, "document": {**inputs["document"], "container_context": context}}, call)

    (text,) = [text for kind, text in report.said if kind == "warning"]
    assert "envvars" in text
    assert made.outputs["findings"] == [text]


def test_no_code_of_the_location_runs_in_a_preview(inputs, ran):
    provider = Provider({resource.definition.token: resource}, EngineLog("127.0.0.1:1"), threading.Event())
    given = encode(inputs)

    class Context:
        def abort(self, code, text):
            raise AssertionError(text)

    provider.Check(wire.CheckRequest(urn=URN, news=given), Context())
    created = provider.Create(wire.CreateRequest(urn=URN, properties=given, preview=True), Context())
    changed = encode({**inputs, "contentHash": "b"})
    provider.Diff(wire.DiffRequest(id="hello", urn=URN, olds=given, old_inputs=given, news=changed), Context())
    provider.Update(wire.UpdateRequest(id="hello", urn=URN, olds=given, news=changed, preview=True), Context())

    assert not ran.exists(), "a preview shows; it runs nobody's code"
    assert created.properties.fields["passed"].string_value, "unknown until the update"
    provider.Create(wire.CreateRequest(urn=URN, properties=given), Context())
    assert ran.exists(), "the update does run it"


def test_an_update_that_is_stopped_starts_no_code(inputs, report, ran):
    stopped = threading.Event()
    stopped.set()

    with pytest.raises(CancelledError):
        resource.create(inputs, Call(report, stopped))
    assert not ran.exists()


def test_an_update_that_is_stopped_stops_the_code(inputs, report, ran, tmp_path):
    stopped = threading.Event()
    (tmp_path / "environment/bin/dagster").write_text(f"#!/bin/sh\ntouch {ran}\nexec sleep 600\n")

    def stop_once_it_runs():
        until(ran.exists, seconds=30, what="the code to be started")
        stopped.set()

    person = threading.Thread(target=stop_once_it_runs)
    person.start()
    with pytest.raises(CancelledError):
        resource.create(inputs, Call(report, stopped))
    person.join()


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"codeSource": {"module_name": "a", "package_name": "a"}}, "codeSource"),
        ({"codeSource": {"module": "a"}}, "codeSource"),
        ({"folder": "/no/such/folder"}, "folder"),
    ],
)
def test_inputs_that_cannot_be_are_named(inputs, changed, path):
    (failure,) = resource.check({**inputs, **changed})

    assert failure.path == path


def test_inputs_that_are_not_known_yet_are_no_failure(inputs):
    assert resource.check({**inputs, "folder": UNKNOWN, "codeSource": UNKNOWN}) == []
