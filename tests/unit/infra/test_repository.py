"""Repositories as the program declares them, and what is granted on them. That ECR expires what the lifecycle says and
nothing else is AWS's matter."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hybrid.errors import SettingsError
from infra import repository
from infra.keeping import Adoption
from infra.place import Place
from infra.repository import Repository, RepositoryArgs, lifecycle_text
from infra.roles import RoleArgs, TaskRole
from tests.unit.infra import recording
from tests.unit.infra.judged import lint, mistakes

pytestmark = pytest.mark.unit

PLACE = Place("123456789012", "eu-west-1")
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a0a0a0a-0b0b-0c0c-0d0d-0e0e0e0e0e0e"
ARN = "arn:aws:ecr:eu-west-1:123456789012:repository/hybrid-prod/hello"
REPOSITORY = "aws:ecr/repository:Repository"


def args(**changed: object) -> RepositoryArgs:
    return RepositoryArgs(**{"name": "hybrid-prod/hello", "place": PLACE, **changed})  # type: ignore[arg-type]


def made(**changed: object) -> recording.Record:
    return recording.run(lambda: Repository("hello", args(**changed)))


def test_images_are_scanned_and_tags_never_move() -> None:
    record = made()
    assert record.only(REPOSITORY).inputs == {
        "name": "hybrid-prod/hello",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfigurations": [{"encryptionType": "AES256"}],
    }
    assert {one.name: one.parent for one in record.resources if not one.is_component} == {
        "hello-repository": "hello",
        "hello-lifecycle": "hello",
    }, "no policy of its own where no other account reads"
    assert record.result.arn == ARN == record.only(REPOSITORY).outputs["arn"]
    assert record.value(record.result.url) == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hybrid-prod/hello"


def test_only_images_without_a_tag_expire() -> None:
    for days in (1, 14, 400):
        rules = json.loads(lifecycle_text(days))["rules"]
        assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged"], "what runs has a tag"
        assert rules[0]["selection"]["countNumber"] == days
        assert rules[0]["action"] == {"type": "expire"}
    record = made(untagged_days=3)
    assert record.named("hello-lifecycle").inputs == {"repository": "hybrid-prod/hello", "policy": lifecycle_text(3)}


def test_images_outlive_the_stack_and_are_taken_up_again() -> None:
    record = made(adopted=Adoption("hybrid-prod/hello"))
    kept = record.named("hello-repository")
    assert kept.options.retain_on_delete
    assert kept.options.imported == "hybrid-prod/hello"
    assert record.named("hello-lifecycle").options.retain_on_delete
    assert not record.named("hello-lifecycle").options.imported, "ECR writes it over"


@pytest.mark.parametrize(("on_destroy", "forced"), [("remove-if-empty", None), ("remove", True)])
def test_a_repository_goes_when_told(on_destroy: str, forced: bool | None) -> None:
    record = made(on_destroy=on_destroy)
    assert not any(one.options.retain_on_delete for one in record.resources)
    assert record.only(REPOSITORY).inputs.get("forceDelete") == forced


def test_a_key_of_ones_own_encrypts() -> None:
    (said,) = made(key_arn=KEY).only(REPOSITORY).inputs["encryptionConfigurations"]
    assert said == {"encryptionType": "KMS", "kmsKey": KEY}


def test_other_accounts_pull_when_they_are_named_and_do_nothing_else() -> None:
    record = made(reader_accounts=("210987654321", "111122223333"))
    (statement,) = json.loads(record.named("hello-readers").inputs["policy"])["Statement"]
    assert statement["Principal"] == {"AWS": ["arn:aws:iam::210987654321:root", "arn:aws:iam::111122223333:root"]}
    assert set(statement["Action"]) == set(repository.PULL)
    assert "Resource" not in statement, "ECR refuses one in a repository's policy"


def granted(grant: Callable[[TaskRole, list[Repository]], object]) -> recording.Record:
    def build() -> None:
        both = [Repository("hello", args()), Repository("world", args(name="hybrid-prod/world"))]
        grant(TaskRole("ci", RoleArgs("hybrid-prod-ci", "Pushes", PLACE)), both)

    return recording.run(build)


def statements(record: recording.Record, name: str) -> list[dict[str, object]]:
    return json.loads(record.named(name).inputs["policy"])["Statement"]


@pytest.mark.parametrize(
    ("grant", "sid", "actions"),
    [(repository.grant_pull, "Pull", repository.PULL), (repository.grant_push, "Push", repository.PUSH)],
)
def test_several_repositories_are_one_policy_with_one_login(grant: Callable, sid: str, actions: tuple) -> None:
    login, using = statements(granted(lambda role, both: grant("images", role, both)), "ci-images")
    assert (login["Action"], login["Resource"]) == ("ecr:GetAuthorizationToken", "*")
    assert (using["Sid"], set(using["Action"])) == (sid, set(actions))  # type: ignore[call-overload]
    assert using["Resource"] == [ARN, ARN.replace("hello", "world")]


def test_a_single_repository_is_granted_apart_from_the_login() -> None:
    def grant(role: TaskRole, both: list[Repository]) -> None:
        repository.grant_login("login", role)
        both[0].grant_pull("pull", role)
        both[1].grant_push("push", role)

    record = granted(grant)
    assert [one["Action"] for one in statements(record, "ci-login")] == ["ecr:GetAuthorizationToken"]
    assert [one["Resource"] for one in statements(record, "ci-pull")] == [ARN]
    assert [one["Sid"] for one in statements(record, "ci-push")] == ["Push"]


def test_pulling_writes_nothing_and_pushing_deletes_nothing() -> None:
    assert not any(word in action for action in repository.PULL for word in ("Put", "Upload", "Delete", "Set"))
    assert not any(word in action for action in repository.PUSH for word in ("Delete", "Set", "PutLifecycle"))


def test_a_grant_on_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="a grant on no repository"):
        granted(lambda role, _: repository.grant_pull("images", role, []))


def test_the_judges_accept_what_is_granted() -> None:
    for one in (repository.login_statement(), repository.pull_statement([ARN]), repository.push_statement([ARN])):
        assert mistakes([one]) == []
        assert lint([one]) == set()
    readers = [repository.reader_statement(PLACE, ["210987654321"])]
    assert mistakes(readers) == []
    # the policy of a repository is about that repository
    assert lint(readers, accepted=["MALFORMED: Statement contains neither Resource"]) == set()


@pytest.mark.parametrize("name", ["a", "x" * 257, "Hello", "a//b", "/a", "a/", "a___b", "-a", "a b", "a._b"])
def test_what_ecr_would_not_take_as_a_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no name of a repository"):
        args(name=name)


@pytest.mark.parametrize(
    ("wrong", "says"), [({"untagged_days": 0}, "cannot expire"), ({"reader_accounts": ("12",)}, "is no AWS account")]
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        args(**wrong)
