"""``hybrid locations sweep`` on a registry of Azure, which is a STAND-IN on this machine: what may go, what never does,
and that what cannot be known removes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from hybrid.azure.made import CodeServer, Made, RunJob
from hybrid.cli.locations import sweep
from hybrid.platforms.azure_place import AzurePlace
from tests.standins.azure.acr_catalogue import AcrStandIn
from tests.unit.cli.ecs_checkout import Call, FakePlus

pytestmark = pytest.mark.unit

ALPHA, BETA = "hybrid-prod/alpha", "hybrid-prod/beta"
LONG_AGO = datetime.now(UTC) - timedelta(days=90)
ALL = ("--keep", "0", "--yes", "--json")


@pytest.fixture
def acr(root: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AcrStandIn]:
    """The registry, and the stack prod whose images are in it; the login is docker's."""
    with AcrStandIn() as standing:
        file.write_text(
            "config:\n  hybrid:organization: acme\n  hybrid:agent: {kind: docker}\n"
            f"  hybrid:registry: {{address: {standing.host}/hybrid-prod}}\n"
        )
        docker = tmp_path / "docker"
        docker.mkdir()
        (docker / "config.json").write_text(json.dumps(standing.docker_config))
        monkeypatch.setenv("DOCKER_CONFIG", str(docker))
        monkeypatch.setattr("hybrid.delivery.images.acr.is_acr", lambda host: host == standing.host)
        yield standing


def test_what_nothing_uses_goes_and_what_is_used_stays(call: Call, plus: FakePlus, acr: AcrStandIn) -> None:
    digests = {tag: acr.push(ALPHA, tag, LONG_AGO) for tag in ("told", "loaded", "branch", "unused", "old")}
    acr.push(BETA, "by-tag", LONG_AGO)
    acr.push("hybrid-prod/former", "of-a-location-that-is-gone", LONG_AGO)
    acr.push("hybrid-prod2/alpha", "of-another-stack", LONG_AGO)
    where = f"{acr.host}/{ALPHA}@"
    plus.documents = {
        "prod": {"alpha": where + digests["told"], "beta": f"{acr.host}/{BETA}:by-tag"},
        "b1": {"alpha": where + digests["branch"]},
    }
    plus.branches, plus.reported = ["b1"], {"prod": {"alpha": where + digests["loaded"]}}
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code == 0, answer.err
    assert acr.tags(ALPHA) == {"told", "loaded", "branch"}
    assert acr.tags(BETA) == {"by-tag"}
    assert acr.tags("hybrid-prod/former") == set()
    assert acr.tags("hybrid-prod2/alpha") == {"of-another-stack"}, "names that begin alike are not the stack's"
    assert json.loads(answer.out)["removed"] == 3


def test_what_runs_in_azure_and_pins_of_any_stack_stay(
    call: Call, plus: FakePlus, acr: AcrStandIn, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = {tag: acr.push(ALPHA, tag, LONG_AGO) for tag in ("pinned", "served", "running", "ended", "unknown")}
    at = {tag: f"{acr.host}/{ALPHA}@{digest}" for tag, digest in digests.items()}
    (root / "stacks" / "Pulumi.cloud.yaml").write_text(
        "config:\n  hybrid:organization: acme\n  hybrid:agent: {kind: azure}\n"
        "  hybrid:azure: {subscription: 00000000-1111-2222-3333-444444444444, location: westeurope}\n"
        f"  hybrid:pins: {{alpha: {at['pinned']}}}\n"
    )
    now = datetime.now(UTC)
    made = Made(
        servers=(CodeServer("alpha-1", "alpha", "h", "a1", "Running", at["served"]),),
        jobs=(
            RunJob("r1", "1", "etl", at["running"], now + timedelta(hours=1)),
            RunJob("r2", "2", "etl", at["ended"], now - timedelta(hours=1)),
            RunJob("r3", "3", "etl", at["unknown"]),
        ),
        agent_stands=True,
    )
    monkeypatch.setattr(AzurePlace, "door", lambda self: SimpleNamespace())
    monkeypatch.setattr("hybrid.azure.made.made_in", lambda *_: made)
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code == 0, answer.err
    assert acr.tags(ALPHA) == {"pinned", "served", "running", "unknown"}, "finished jobs stay for ever, their runs not"


def test_an_azure_that_cannot_be_asked_removes_nothing(
    call: Call, plus: FakePlus, acr: AcrStandIn, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hybrid.azure.errors import AzureDenied

    def denied(*_: object) -> Made:
        raise AzureDenied("Azure does not allow this identity to list the container apps.")

    acr.push(ALPHA, "unused", LONG_AGO)
    (root / "stacks" / "Pulumi.cloud.yaml").write_text(
        "config:\n  hybrid:organization: acme\n  hybrid:agent: {kind: azure}\n"
        "  hybrid:azure: {subscription: 00000000-1111-2222-3333-444444444444, location: westeurope}\n"
    )
    monkeypatch.setattr(AzurePlace, "door", lambda self: SimpleNamespace())
    monkeypatch.setattr("hybrid.azure.made.made_in", denied)
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code != 0
    assert acr.tags(ALPHA) == {"unused"}


def test_without_agreement_it_only_shows(call: Call, plus: FakePlus, acr: AcrStandIn) -> None:
    acr.push(ALPHA, "unused", LONG_AGO)
    answer = call("locations", "sweep", "prod", "--keep", "0")
    assert answer.code == 0, answer.err
    assert "unused" in answer.out
    assert "--yes" in answer.err
    assert not [each for each in acr.seen if each.startswith("DELETE")]


def test_the_newest_what_is_young_and_what_is_locked_stay(call: Call, plus: FakePlus, acr: AcrStandIn) -> None:
    for number in range(5):
        acr.push(ALPHA, f"v{number}", LONG_AGO + timedelta(days=number))
    acr.push(BETA, "young", datetime.now(UTC))
    acr.push(BETA, "locked", LONG_AGO)
    acr.push(BETA, "retagged", LONG_AGO)
    acr.repositories[BETA][1].deletable = False
    acr.repositories[BETA][2].changed = datetime.now(UTC)
    told = json.loads(call("locations", "sweep", "prod", "--keep", "3", "--json").out)
    assert [image["tags"] for image in told["images"]] == [["v0"], ["v1"]], "three of each stay for a rollback"
    told = json.loads(call("locations", "sweep", "prod", "--keep", "0", "--json").out)
    assert {tag for image in told["images"] for tag in image["tags"]} == {f"v{number}" for number in range(5)}


def test_an_index_goes_with_its_parts_and_a_used_one_keeps_them(call: Call, plus: FakePlus, acr: AcrStandIn) -> None:
    parts = {tag: acr.push(ALPHA, None, LONG_AGO + timedelta(minutes=at)) for at, tag in enumerate("ab")}
    used = acr.push(ALPHA, "used", LONG_AGO, (parts["a"],))
    acr.push(ALPHA, "unused", LONG_AGO + timedelta(minutes=1), (parts["b"],))
    plus.documents = {"prod": {"alpha": f"{acr.host}/{ALPHA}@{used}"}}
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code == 0, answer.err
    assert [image.digest for image in acr.repositories[ALPHA]] == [parts["a"], used]
    deleted = [each.rpartition("/")[2] for each in acr.seen if each.startswith("DELETE")]
    assert deleted[-1] == parts["b"], "the index before its parts"


def test_what_comes_into_use_meanwhile_is_spared(
    call: Call, plus: FakePlus, acr: AcrStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = acr.push(ALPHA, "rolled-back-to", LONG_AGO)
    acr.push(ALPHA, "unused", LONG_AGO)
    agreed = sweep._agreed

    def somebody_deploys(*arguments: object, **keywords: bool) -> bool:
        plus.documents["prod"] = {"alpha": f"{acr.host}/{ALPHA}@{digest}"}
        return agreed(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "_agreed", somebody_deploys)
    call("locations", "sweep", "prod", *ALL)
    assert acr.tags(ALPHA) == {"rolled-back-to"}, "it is asked again right before the removal"


def test_a_login_that_may_list_and_not_delete_is_told_what_it_lacks(
    call: Call, plus: FakePlus, acr: AcrStandIn
) -> None:
    acr.push(ALPHA, "unused", LONG_AGO)
    acr.refused = {f"repository:{ALPHA}:delete"}
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code != 0
    assert "AcrDelete" in answer.err
    assert acr.tags(ALPHA) == {"unused"}


def test_an_image_that_azure_keeps_is_an_error_and_the_others_go(
    call: Call, plus: FakePlus, acr: AcrStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    acr.push(ALPHA, "locked-meanwhile", LONG_AGO)
    acr.push(ALPHA, "unused", LONG_AGO + timedelta(days=1))
    agreed = sweep._agreed

    def somebody_locks(*arguments: object, **keywords: bool) -> bool:
        acr.repositories[ALPHA][0].deletable = False
        return agreed(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "_agreed", somebody_locks)
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code == 1
    assert "delete-enabled" in answer.err
    assert acr.tags(ALPHA) == {"locked-meanwhile"}
