"""``hybrid locations sweep``: what may go from a stack's ECR repositories, what never does, and what happens when
something comes into use between the look and the removal. ECR is moto, which knows neither pull times nor that an index
protects its parts; both are tested on the selection itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.aws.session import Aws
from hybrid.cli.locations import sweep
from hybrid.cli.locations.ecr_images import BATCH, EcrImages
from hybrid.cli.locations.image_store import StoredImage
from hybrid.cli.locations.used_images import UsedImages
from hybrid.engine.lock import UpdateLock
from hybrid.engine.stack_registry import StackRegistry
from hybrid.plus import PlusForbidden, PlusUnreachable
from hybrid.workspace import Workspace
from tests.unit.cli.ecs_checkout import ACCOUNT, HOST, Call, Cluster, FakePlus

pytestmark = pytest.mark.unit

ALPHA, BETA = "hybrid-prod/alpha", "hybrid-prod/beta"
Push = Callable[..., str]
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def push(aws: Cluster) -> Push:
    for name in (ALPHA, BETA, "hybrid-prod/hybrid-agent", "hybrid-prod/former", "hybrid-prod2/alpha"):
        aws.ecr.create_repository(repositoryName=name)

    def pushed(repository: str, tag: str) -> str:
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": {"size": 1}, "layers": [], "x": tag})
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"  # moto's own is that of nothing
        aws.ecr.put_image(
            repositoryName=repository,
            imageManifest=manifest,
            imageTag=tag,
            imageManifestMediaType=kind,
            imageDigest=digest,
        )
        return digest

    return pushed


def there(aws: Cluster, repository: str) -> set[str]:
    found = aws.ecr.describe_images(repositoryName=repository)["imageDetails"]
    return {tag for image in found for tag in image.get("imageTags", ["?"])}


ALL = ("--keep", "0", "--keep-days", "0", "--yes", "--json")


def test_what_nothing_uses_goes_and_what_is_used_stays(call: Call, push: Push, plus: FakePlus, aws: Cluster) -> None:
    digests = {tag: push(ALPHA, tag) for tag in ("told", "loaded", "branch", "other", "unused")}
    push(BETA, "by-tag")
    push("hybrid-prod/former", "of-a-location-that-is-not-served-any-more")
    push("hybrid-prod2/alpha", "of-another-stack")
    plus.documents = {
        "prod": {"alpha": f"{HOST}/{ALPHA}@{digests['told']}", "beta": f"{HOST}/{BETA}:by-tag"},
        "dev": {"alpha": f"{HOST}/{ALPHA}@{digests['other']}"},
        "b1": {"alpha": f"{HOST}/{ALPHA}@{digests['branch']}"},
    }
    plus.branches = ["b1"]
    plus.reported = {"prod": {"alpha": f"{HOST}/{ALPHA}@{digests['loaded']}"}}
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code == 0, answer.err
    assert there(aws, ALPHA) == {"told", "loaded", "branch", "other"}, "also what is loaded while a newer one fails"
    assert there(aws, BETA) == {"by-tag"}
    assert there(aws, "hybrid-prod/former") == set(), "a repository of the stack whose location is gone"
    assert there(aws, "hybrid-prod2/alpha") == {"of-another-stack"}, "names that begin alike are not the stack's"
    told = json.loads(answer.out)
    assert told["removed"] == 2
    assert told["deployments"] == ["prod", "dev", "b1"]
    assert {tag for image in told["images"] for tag in image["tags"]} == {
        "unused", "of-a-location-that-is-not-served-any-more"
    }  # fmt: skip


def test_pins_of_any_stack_and_what_runs_on_ecs_stay(
    call: Call, push: Push, plus: FakePlus, aws: Cluster, root: Path
) -> None:
    pinned, served, running = push(ALPHA, "pinned"), push(ALPHA, "served"), push(ALPHA, "running")
    push(ALPHA, "unused")
    (root / "stacks" / "Pulumi.dock.yaml").write_text(
        "config:\n  hybrid:organization: acme\n  hybrid:agent: {kind: docker}\n"
        f"  hybrid:registry: {{address: {HOST}/hybrid-prod}}\n  hybrid:pins: {{alpha: {HOST}/{ALPHA}@{pinned}}}\n"
    )
    agent = push("hybrid-prod/hybrid-agent", "1")
    aws.agent(f"{HOST}/hybrid-prod/hybrid-agent@{agent}")
    aws.server("alpha-1", "alpha", f"{HOST}/{ALPHA}@{served}", "a1")
    aws.task(aws.definition("hybrid-prod-r_etl", f"{HOST}/{ALPHA}@{running}"), {})
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code == 0, answer.err
    assert there(aws, ALPHA) == {"pinned", "served", "running"}
    assert there(aws, "hybrid-prod/hybrid-agent") == {"1"}


def test_without_agreement_it_only_shows(call: Call, push: Push, plus: FakePlus, aws: Cluster) -> None:
    push(ALPHA, "unused")
    answer = call("locations", "sweep", "prod", "--keep", "0", "--keep-days", "0")
    assert answer.code == 0
    assert "unused" in answer.out
    assert "--yes" in answer.err
    assert there(aws, ALPHA) == {"unused"}


def test_young_ones_and_the_newest_stay_by_default(call: Call, push: Push, plus: FakePlus, aws: Cluster) -> None:
    for number in range(5):
        push(ALPHA, f"v{number}")
    assert json.loads(call("locations", "sweep", "prod", "--json").out)["images"] == [], "all were pushed just now"
    told = json.loads(call("locations", "sweep", "prod", "--keep-days", "0", "--json").out)
    assert len(told["images"]) == 2, "three of five stay for a rollback"


def test_what_comes_into_use_meanwhile_is_spared(
    call: Call, push: Push, plus: FakePlus, aws: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = push(ALPHA, "rolled-back-to")
    push(ALPHA, "unused")
    agreed = sweep._agreed

    def somebody_deploys(*arguments: object, **keywords: bool) -> bool:
        plus.documents["prod"] = {"alpha": f"{HOST}/{ALPHA}@{digest}"}
        return agreed(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "_agreed", somebody_deploys)
    answer = call("locations", "sweep", "prod", *ALL)
    assert there(aws, ALPHA) == {"rolled-back-to"}, "it is asked again right before the removal"
    spared = next(image for image in json.loads(answer.out)["images"] if not image["removed"])
    assert spared["used_by"] == "alpha of prod"


def test_while_an_update_runs_nothing_is_removed(
    call: Call, push: Push, plus: FakePlus, aws: Cluster, root: Path
) -> None:
    push(ALPHA, "unused")
    with UpdateLock(Workspace(root).of_stack("prod").root, "prod"):
        answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code == 6
    assert there(aws, ALPHA) == {"unused"}, "the update may be about to use it"


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("location_documents", PlusUnreachable("Nobody answers.", reason="refused")),
        ("branch_deployments", PlusUnreachable("Nobody answers.", reason="refused")),
        ("agent_tokens", PlusForbidden("Not allowed.")),
    ],
    ids=["no documents", "no branches", "a token that sees a part only"],
)
def test_what_cannot_be_known_removes_nothing(
    what: str, fault: Exception, call: Call, push: Push, plus: FakePlus, aws: Cluster
) -> None:
    push(ALPHA, "unused")
    plus.faults[what] = fault
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code in {3, 8}, "an error, not an answer"
    assert there(aws, ALPHA) == {"unused"}


def test_a_stack_file_that_cannot_be_read_removes_nothing(
    call: Call, push: Push, plus: FakePlus, aws: Cluster, root: Path
) -> None:
    push(ALPHA, "unused")
    (root / "stacks" / "Pulumi.other.yaml").write_text("config: [\n")
    assert call("locations", "sweep", "prod", *ALL).code == 3, "it may have pins"
    assert there(aws, ALPHA) == {"unused"}


def test_another_registry_is_refused_with_the_reason(call: Call, root: Path) -> None:
    (root / "stacks" / "Pulumi.dock.yaml").write_text(
        "config:\n  hybrid:agent: {kind: docker}\n  hybrid:registry: {address: ghcr.io/acme}\n"
    )
    answer = call("locations", "sweep", "dock")
    assert answer.code == 2
    assert "neither in ECR nor" in answer.err


def test_what_ecr_does_not_remove_is_an_error(
    call: Call, push: Push, plus: FakePlus, aws: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = push(ALPHA, "unused")
    monkeypatch.setattr(EcrImages, "remove", lambda self, found: {digest: "it is part of another"})
    answer = call("locations", "sweep", "prod", *ALL)
    assert answer.code == 1
    assert "it is part of another" in answer.err
    assert json.loads(answer.out)["removed"] == 0


def test_an_index_is_read_with_its_parts(push: Push, aws: Cluster) -> None:
    part = push(ALPHA, "part")
    kind = "application/vnd.oci.image.index.v1+json"
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": kind, "manifests": [{"digest": part}], "config": {"size": 1}}
    )
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    aws.ecr.put_image(
        repositoryName=ALPHA,
        imageManifest=manifest,
        imageTag="index",
        imageManifestMediaType=kind,
        imageDigest=digest,
    )
    store = EcrImages(StackRegistry(HOST, "hybrid-prod"), Aws("eu-central-1", ACCOUNT), ACCOUNT)
    found = {each.digest: each.parts for each in store.images(ALPHA)}
    assert found == {part: (), digest: (part,)}


# The selection


def image(
    number: int,
    *,
    age: float = 100,
    touched: float | None = None,
    tagged: bool = True,
    parts: tuple[str, ...] = (),
    repository: str = ALPHA,
) -> StoredImage:
    pushed = NOW - timedelta(days=age)
    pulled = pushed if touched is None else NOW - timedelta(days=touched)
    tags = (f"t{number}",) if tagged else ()
    return StoredImage(repository, digest_of(number), tags, pushed, max(pushed, pulled), 1, parts)


def digest_of(number: int) -> str:
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


def selected(found: list[StoredImage], *used: int, keep: int = 0, days: int = 7) -> set[str]:
    known = UsedImages(HOST)
    for number in used:
        known.add(f"{HOST}/{ALPHA}@{digest_of(number)}", "x")
    return {each.digest for each in sweep.removable(found, known, keep, NOW - timedelta(days=days))}


def test_an_image_that_was_pulled_of_late_stays() -> None:
    assert selected([image(1, age=90, touched=2), image(2, age=90)]) == {digest_of(2)}, "a queued run may start from it"


def test_the_parts_of_a_used_index_stay_and_the_index_of_a_used_part() -> None:
    index = image(1, parts=(digest_of(2), digest_of(3)))
    found = [index, image(2, tagged=False), image(3, tagged=False), image(4, tagged=False)]
    assert selected(found, 1) == {digest_of(4)}, "untagged parts are what machines pull"
    assert selected(found, 3) == {digest_of(4)}
    assert selected(found, 4) == {digest_of(1), digest_of(2), digest_of(3)}


def test_the_newest_are_counted_among_tagged_ones() -> None:
    found = [image(1, age=50), image(2, age=40), image(3, age=30, tagged=False)]
    assert selected(found, keep=1) == {digest_of(1), digest_of(3)}, "a rollback names a tag's image"


@given(
    st.lists(st.tuples(st.floats(0, 200), st.booleans(), st.sampled_from([ALPHA, BETA])), max_size=12),
    st.sets(st.integers(0, 11)),
    st.integers(0, 4),
)
def test_nothing_that_is_used_is_ever_selected(
    given_images: list[tuple[float, bool, str]], used: set[int], keep: int
) -> None:
    found = [image(n, age=age, tagged=tagged) for n, (age, tagged, _) in enumerate(given_images)]
    going = selected(found, *used, keep=keep)
    assert not going & {digest_of(number) for number in used}
    assert len(found) - len(going) >= min(keep, sum(bool(each.tags) for each in found))


def test_a_batch_is_of_one_repository_and_no_larger_than_ecr_takes() -> None:
    found = [image(n, repository=ALPHA if n < 150 else BETA) for n in range(200)]
    made = list(sweep.batches(found, BATCH))
    assert [each for batch in made for each in batch] == found, "the oldest first, none left out"
    assert max(map(len, made)) == BATCH
    assert all(len({each.repository for each in batch}) == 1 for batch in made)


def test_an_index_goes_before_its_parts() -> None:
    index, part = image(1, parts=(digest_of(2),)), image(2)
    assert list(sweep.batches([index, part], BATCH)) == [[index], [part]], "ECR keeps a part while its index is there"


def test_images_of_other_registries_are_nobody_s_here() -> None:
    used = UsedImages(HOST)
    used.add("ghcr.io/acme/x:1", "x")
    used.add(None, "x")
    used.add(f"{HOST}/{ALPHA}", "x")
    assert used.by == {ALPHA: {"latest": "x"}}
    assert HOST.startswith(ACCOUNT)
