"""``hybrid branch`` as it is typed, around an organization in memory: which stacks and pull requests are refused, and
what happens to images in ECR afterwards. The whole life is in tests/emulated/test_branch_deployments.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybrid.cli.branch import options
from hybrid.forge.errors import ForgeUnreachable
from hybrid.forge.forge import PullRequest
from hybrid.plus import Branch, Commit
from tests.unit.cli.ecs_checkout import HOST, STACK, Call, Cluster, FakePlus
from tests.unit.pipeline.organization import Organization

pytestmark = pytest.mark.unit

SERVING = STACK.replace("kind: ecs  # Fargate", "kind: ecs\n    branchDeployments: true")
BRANCH = Branch("acme/data", "feature", pull_request_number="7", pull_request_status="OPEN")
NAMED = ("--branch", "feature", "--repo", "acme/data")
CLOUD = ("GITHUB_ACTIONS", "GITLAB_CI", "CI", "GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN")


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain shell, wherever the tests run."""
    for name in CLOUD:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def organization(monkeypatch: pytest.MonkeyPatch, file: Path) -> Organization:
    file.write_text(SERVING)
    made = Organization()
    monkeypatch.setattr("hybrid.cli.dagster_plus.client_of", lambda who, **_: made.client(who.endpoint.deployment))
    return made


def test_a_stack_has_to_be_named_somewhere(call: Call, organization: Organization, root: Path) -> None:
    answer = call("branch", "open", *NAMED)
    assert answer.code == 3
    assert "branchDeployments" in answer.err
    (root / "stacks" / "pipeline.yaml").write_text("branchDeployments: {stack: nonesuch}\n")
    assert "nonesuch" in call("branch", "open", *NAMED).err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (STACK, "serves no branch deployments"),
        (SERVING + "  hybrid:phase: prepare\n", "phase of the stack 'prod' is prepare"),
    ],
)
def test_a_stack_that_would_not_load_it_is_refused(
    call: Call, organization: Organization, file: Path, settings: str, words: str
) -> None:
    file.write_text(settings)
    answer = call("branch", "open", "prod", *NAMED)
    assert answer.code == 3, answer.err
    assert words in answer.err
    assert organization.writes == []


def test_a_shell_is_asked_and_a_detached_head_is_no_branch(call: Call, organization: Organization) -> None:
    for command in ("open", "close"):
        answer = call("branch", command, "prod", "--repo", "acme/data")
        assert answer.code == 2
        assert "plain shell" in answer.err
    assert "detached" in call("branch", "open", "prod", "--pull-request", "7", "--repo", "acme/data").err
    assert organization.writes == []


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit that is built is known."""
    monkeypatch.setattr("hybrid.pipeline.change.Change.commit_of", lambda *_: Commit("b" * 40, 2000.0))


@pytest.mark.parametrize(
    ("changed", "words"), [({"agent_type": "SERVERLESS"}, "Serverless"), ({"type": "BRANCH"}, "itself")]
)
def test_a_deployment_that_cannot_be_a_base_is_refused(
    call: Call, organization: Organization, committed: None, changed: Any, words: str
) -> None:
    organization.turns_into("prod", **changed)
    answer = call("branch", "open", "prod", *NAMED)
    assert answer.code == 3, answer.err
    assert words in answer.err
    assert organization.writes == []


class Forge:
    def __init__(self, answer: PullRequest | Exception) -> None:
        self.answer = answer

    def pull_request(self, number: int) -> PullRequest:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def pull(state: Any = "open", branch: str = "feature", *, sha: str = "b" * 40, fork: bool = False) -> PullRequest:
    return PullRequest(7, "t", "u", state, sha, branch, "main", fork, "a")


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    def answers(answer: Any) -> None:
        monkeypatch.setattr(options.Surroundings, "forge", lambda self, repository: Forge(answer))

    return answers


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (pull(fork=True), 2, "another repository"),
        (pull("closed"), 2, "is closed"),
        (pull(branch="other"), 2, "of the branch 'other'"),
        (pull(sha="c" * 40), 6, "newer commit"),
    ],
)
def test_the_forge_is_believed_before_anything_is_made(
    call: Call, organization: Organization, committed: None, forge: Any, answer: Any, code: int, words: str
) -> None:
    forge(answer)
    told = call("branch", "open", "prod", *NAMED, "--pull-request", "7")
    assert told.code == code, told.err
    assert words in told.err
    assert organization.writes == []


def test_a_forge_that_is_not_heard_holds_nothing_up(call: Call, organization: Organization, forge: Any) -> None:
    forge(ForgeUnreachable("GitHub is out of order."))
    organization.put(BRANCH, Commit("a" * 40, 1.0))
    answer = call("branch", "close", "prod", *NAMED, "--pull-request", "7", "--json")
    assert answer.code == 0, answer.err
    assert "was not heard" in answer.err
    assert [(row["ending"], row["deleted"]) for row in json.loads(answer.out)["branch_deployments"]] == [
        ("CLOSED", True)
    ]


def test_a_pull_request_that_was_merged_is_told_so(call: Call, organization: Organization, forge: Any) -> None:
    forge(pull("merged"))
    organization.put(BRANCH, Commit("a" * 40, 1.0))
    answer = call("branch", "close", "prod", "--pull-request", "7", "--repo", "acme/data", "--json")
    assert answer.code == 0, answer.err
    assert organization.writes[0] == "claim a MERGED"


def test_the_branch_deployment_of_another_pull_request_of_the_branch_stays(
    call: Call, organization: Organization
) -> None:
    organization.put(BRANCH, Commit("a" * 40, 1.0))
    answer = call("branch", "close", "prod", *NAMED, "--pull-request", "6")
    assert answer.code == 0, answer.err
    assert "pull request 7" in answer.err
    assert organization.writes == []


def test_status_ends_with_7_where_the_named_one_is_not_there(call: Call, organization: Organization) -> None:
    assert call("branch", "status", "prod", "--repo", "acme/data").code == 0
    assert call("branch", "status", "prod", *NAMED).code == 7


@pytest.mark.parametrize("more", [("--branch", "x"), ("--pull-request", "1"), ("--merged",)])
def test_stale_ones_are_not_named(call: Call, organization: Organization, more: tuple[str, ...]) -> None:
    answer = call("branch", "close", "prod", "--stale", *more)
    assert answer.code == 2
    assert organization.writes == []


ALPHA = "hybrid-prod/alpha"


@pytest.fixture
def pushed(aws: Cluster) -> dict[str, str]:
    """Images of alpha in ECR, as the documents name them."""
    aws.ecr.create_repository(repositoryName=ALPHA)
    found = {}
    for tag in ("mine", "shared"):
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": {"size": 1}, "layers": [], "x": tag})
        aws.ecr.put_image(
            repositoryName=ALPHA,
            imageManifest=manifest,
            imageTag=tag,
            imageManifestMediaType=kind,
            imageDigest=_digest(tag),
        )
        found[tag] = f"{HOST}/{ALPHA}@{_digest(tag)}"
    return found


def _digest(tag: str) -> str:
    return "sha256:" + tag.encode().hex().ljust(64, "0")


def there(aws: Cluster) -> set[str]:
    found = aws.ecr.describe_images(repositoryName=ALPHA)["imageDetails"]
    return {tag for image in found for tag in image.get("imageTags", ["?"])}


@pytest.fixture
def closed(
    call: Call, organization: Organization, plus: FakePlus, pushed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """``hybrid branch close`` of a branch deployment that runs ``image``; ``plus`` says what is in use elsewhere."""

    def run(image: str, *arguments: str) -> Any:
        found = organization.put(BRANCH, Commit("a" * 40, 1.0))
        organization.documents[found.deployment.name] = {"alpha": {"location_name": "alpha", "image": image}}
        fake, ours = plus.of, organization.client
        # what is in use is asked by the sweep's own module, of all deployments
        monkeypatch.setattr("hybrid.cli.dagster_plus.client_of", _either(fake, ours))
        answer = call("branch", "close", "prod", *NAMED, "--json", *arguments)
        assert answer.code == 0, answer.err
        return json.loads(answer.out)["branch_deployments"][0]

    return run


def _either(fake: Any, ours: Any) -> Any:
    """The organization that knows branch deployments, and behind it the one that knows what is in use."""

    class Both:
        def __init__(self, deployment: str) -> None:
            self.parts = [ours(deployment), fake(deployment)]

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __getattr__(self, name: str) -> Any:
            first, second = (1, 0) if name in {"agent_tokens", "deployments"} else (0, 1)
            return getattr(self.parts[first], name, None) or getattr(self.parts[second], name)

    return lambda who, **_: Both(who.endpoint.deployment)


def test_images_that_were_pushed_for_it_go_with_it(closed: Any, pushed: dict[str, str], aws: Cluster) -> None:
    told = closed(pushed["mine"])
    assert told["images"]["removed"] == [pushed["mine"]]
    assert there(aws) == {"shared"}, "and no other"


def test_an_image_that_the_full_deployment_runs_stays(
    closed: Any, pushed: dict[str, str], aws: Cluster, organization: Organization
) -> None:
    organization.documents["prod"] = {"alpha": {"location_name": "alpha", "image": pushed["shared"]}}
    told = closed(pushed["shared"])
    assert told["images"]["removed"] == []
    assert told["images"]["kept"] == [{"image": _digest("shared"), "used_by": "alpha of prod"}]
    assert there(aws) == {"mine", "shared"}


@pytest.mark.parametrize("option", ["--keep-images", "--merged"])
def test_images_stay_when_somebody_says_so_and_for_the_deploy_of_a_merge(
    closed: Any, pushed: dict[str, str], aws: Cluster, option: str
) -> None:
    assert closed(pushed["mine"], option)["images"] is None
    assert there(aws) == {"mine", "shared"}


def test_what_is_in_use_cannot_be_known_so_all_stays_and_it_is_said(
    closed: Any, pushed: dict[str, str], aws: Cluster, plus: FakePlus
) -> None:
    from hybrid.plus import PlusForbidden

    plus.faults["agent_tokens"] = PlusForbidden("Your role may not list tokens.")
    told = closed(pushed["mine"])
    assert told["deleted"] is True
    assert "may not see all deployments" in told["images"]["problem"]
    assert there(aws) == {"mine", "shared"}
