"""The pure parts of the double of a node."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standins.kubelet.engine import logins_of, runs_as_root
from tests.standins.kubelet.environment import expanded
from tests.standins.kubelet.environment import field as downward
from tests.standins.kubelet.pod_status import phase_of
from tests.standins.kubelet.service_names import ServiceNames, hosts_text
from tests.standins.kubelet.volumes import Volumes

pytestmark = pytest.mark.unit


@dataclass
class Ended:
    """A container by its exit code; None: it runs."""

    exit_code: int | None = None
    running: bool = False
    ready: bool = False
    restart_count: int = 0
    state: dict[str, Any] = field(default_factory=dict)

    def status(self) -> dict[str, Any]:
        return {}


def endpoints(namespace: str, service: str, *addresses: str, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"uid": f"{namespace}/{service}", "namespace": namespace,
                     "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"addresses": list(addresses), "conditions": {"ready": ready}}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("containers", "phase"),
    [
        ([Ended(running=True)], "Running"),
        ([Ended()], "Pending"),
        ([Ended(running=True), Ended()], "Pending"),
        ([Ended(0), Ended(running=True)], "Running"),
        ([Ended(0), Ended(0)], "Succeeded"),
        ([Ended(0), Ended(137)], "Failed"),
        ([Ended(restart_count=2)], "Running"),
    ],
)
def test_a_pods_phase_is_that_of_its_containers(containers: list[Ended], phase: str) -> None:
    assert phase_of(containers) == phase


def test_variables_are_expanded_as_kubernetes_does() -> None:
    known = {"A": "1", "B_2": "2"}

    assert expanded("$(A)-$(B_2)-$(NONE)-$$(A)-$A", known) == "1-2-$(NONE)-$(A)-$A"


@given(st.text(alphabet="ab$()"))
def test_text_without_known_names_keeps_its_meaning(text: str) -> None:
    assert expanded(text.replace("$", "$$"), {"a": "x", "b": "y"}) == text, "each dollar was written twice"


def test_the_downward_api_reads_labels_by_name() -> None:
    pod = {"metadata": {"name": "p", "labels": {"a/b": "c"}}, "spec": {"nodeName": "n"}}

    assert downward(pod, "metadata.labels['a/b']", "") == "c"
    assert downward(pod, "spec.nodeName", "") == "n"
    assert downward(pod, "status.podIP", "10.0.0.1") == "10.0.0.1"


def test_names_of_services_lead_to_their_ready_pods_only() -> None:
    slices = {
        "1": endpoints("here", "page", "10.0.0.1", "10.0.0.2"),
        "2": endpoints("there", "page", "10.0.0.3"),
        "3": endpoints("here", "slow", "10.0.0.4", ready=False),
    }

    text = hosts_text(slices, "here", "10.0.0.9")

    assert "10.0.0.1 page.here page.here.svc page.here.svc.cluster.local page\n" in text
    assert "10.0.0.3 page.there page.there.svc page.there.svc.cluster.local\n" in text, "short in its namespace only"
    assert "10.0.0.4" not in text


def test_the_file_of_names_keeps_its_length_and_its_place(tmp_path: Path) -> None:
    names = ServiceNames(tmp_path / "hosts", "https://10.0.0.9:6443")
    file = names.file_for("here")
    before = file.stat()

    names.change("ADDED", endpoints("here", "page", "10.0.0.1"))

    after = file.stat()
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size), "a container's mount sees the change whole"
    assert "page.here" in file.read_text()
    names.change("DELETED", endpoints("here", "page"))
    assert "page.here" not in file.read_text()


def test_a_login_is_used_for_its_own_registry_only() -> None:
    auth = base64.b64encode(b"me:word").decode()
    secret = {".dockerconfigjson": json.dumps({"auths": {"https://r.example:5000": {"auth": auth}}}).encode()}

    assert logins_of([secret], "r.example:5000/a/b:1") == [{"username": "me", "password": "word"}]
    assert logins_of([secret], "other.example/a/b:1") == []
    assert logins_of([secret], "library/python:3") == []
    assert logins_of([{".dockerconfigjson": b"nonsense"}], "r.example:5000/a") == []


@pytest.mark.parametrize(
    ("security", "user", "refused"),
    [
        ({"runAsNonRoot": True}, "", True),
        ({"runAsNonRoot": True}, "1000:1000", False),
        ({"runAsNonRoot": True, "runAsUser": 1001}, "", False),
        ({}, "", False),
    ],
)
def test_run_as_non_root_holds(security: dict[str, Any], user: str, refused: bool) -> None:
    assert runs_as_root({"securityContext": security}, {"spec": {}}, user) is refused


def test_a_volumes_files_stay_inside_of_it(tmp_path: Path) -> None:
    pod = {
        "metadata": {"namespace": "n", "name": "p", "uid": "u", "labels": {}},
        "spec": {"volumes": [{"name": "v", "downwardAPI": {"items": [
            {"path": "../../out", "fieldRef": {"fieldPath": "metadata.name"}}]}}]},
    }  # fmt: skip
    volumes = Volumes(None, pod, tmp_path / "volumes" / "u")  # type: ignore[arg-type] - no cluster is asked

    with pytest.raises(Exception, match="leads out of the volume"):
        volumes.set_up("")

    assert not (tmp_path / "out").exists()
