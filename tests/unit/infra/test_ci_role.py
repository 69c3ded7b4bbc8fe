"""The role of CI as the program declares it. Whether the issuers' tokens look as their documentation says is theirs."""

from __future__ import annotations

import json

import pytest

from hybrid.errors import SettingsError
from infra import repository
from infra.ci_role import GITHUB, GITLAB, CiRole, CiRoleArgs, Subject, ci_trust
from infra.place import Place
from infra.repository import Repository, RepositoryArgs
from tests.unit.infra import recording
from tests.unit.infra.judged import lint, mistakes

pytestmark = pytest.mark.unit

PLACE = Place("123456789012", "eu-west-1")
ISSUER = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
MAIN = Subject.github("acme/data", branch="main")


def args(**changed: object) -> CiRoleArgs:
    given = {"name": "hybrid-prod-ci", "description": "CI", "place": PLACE, "subjects": (MAIN,)}
    return CiRoleArgs(**{**given, **changed})  # type: ignore[arg-type]


def trust(record: recording.Record) -> dict[str, object]:
    (statement,) = json.loads(record.only("aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    return statement


def test_jobs_of_one_branch_take_the_role_and_no_others() -> None:
    said = trust(recording.run(lambda: CiRole("ci", args())))
    assert said["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert said["Principal"] == {"Federated": PROVIDER}
    assert said["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:acme/data:ref:refs/heads/main",
        }
    }, "equal, with no wildcard: whoever may name a branch may not choose its rights"


def test_the_issuer_is_made_where_the_account_has_none() -> None:
    issuer = recording.run(lambda: CiRole("ci", args())).only(ISSUER)
    assert issuer.inputs == {"url": GITHUB, "clientIdLists": ["sts.amazonaws.com"]}
    assert issuer.outputs["arn"] == PROVIDER
    assert issuer.parent == "ci"


def test_an_account_that_has_the_issuer_keeps_it() -> None:
    record = recording.run(lambda: CiRole("ci", args(provider_arn=PROVIDER)))
    assert record.of(ISSUER) == [], "an account has one for each issuer, and others use it"
    assert trust(record)["Principal"] == {"Federated": PROVIDER}


def test_boundary_and_path_hold_here_too() -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    role = recording.run(lambda: CiRole("ci", args(path="/ci/", permissions_boundary=boundary))).only(
        "aws:iam/role:Role"
    )
    assert (role.inputs["path"], role.inputs["permissionsBoundary"]) == ("/ci/", boundary)


def test_pushing_is_granted_by_the_repositories() -> None:
    def build() -> None:
        images = Repository("hello", RepositoryArgs("hybrid-prod/hello", PLACE))
        repository.grant_push("images", CiRole("ci", args()), [images])

    login, push = json.loads(recording.run(build).named("ci-images").inputs["policy"])["Statement"]
    assert login["Sid"] == "LogIn"
    assert push["Resource"] == "arn:aws:ecr:eu-west-1:123456789012:repository/hybrid-prod/hello"


def test_environments_and_several_subjects() -> None:
    both = (MAIN, Subject.github("acme/data", environment="prod:eu"))
    said = trust(recording.run(lambda: CiRole("ci", args(subjects=both))))
    assert said["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] == [  # type: ignore[index]
        "repo:acme/data:ref:refs/heads/main",
        "repo:acme/data:environment:prod%3Aeu",
    ]


def test_gitlab_and_issuers_of_ones_own() -> None:
    main = Subject.gitlab("acme/team/data", branch="main")
    assert main.text == "project_path:acme/team/data:ref_type:branch:ref:main"
    record = recording.run(lambda: CiRole("ci", args(issuer=GITLAB, audience="https://gitlab.com", subjects=(main,))))
    assert record.only(ISSUER).inputs == {"url": GITLAB, "clientIdLists": ["https://gitlab.com"]}
    said = trust(record)
    assert said["Principal"] == {"Federated": "arn:aws:iam::123456789012:oidc-provider/gitlab.com"}
    assert said["Condition"]["StringEquals"]["gitlab.com:sub"] == main.text  # type: ignore[index]
    own = args(issuer="https://git.acme.example:8443/oidc")
    assert own.host == "git.acme.example:8443/oidc"


def test_wildcards_are_patterns_only_where_said() -> None:
    pattern = Subject("repo:acme/data:ref:refs/heads/release/*", pattern=True)
    said = trust(recording.run(lambda: CiRole("ci", args(subjects=(MAIN, pattern)))))
    condition = said["Condition"]
    assert list(condition) == ["StringEquals", "StringLike"]  # type: ignore[call-overload]
    assert condition["StringEquals"] == {  # type: ignore[index]
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com"
    }
    assert condition["StringLike"]["token.actions.githubusercontent.com:sub"] == [  # type: ignore[index]
        MAIN.text,
        pattern.text,
    ]


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        (lambda: Subject.github("acme/data", branch="*"), "has a wildcard"),
        (lambda: Subject.github("acme/data", environment="prod?"), "has a wildcard"),
        (lambda: Subject.gitlab("acme/data", branch="release/*"), "has a wildcard"),
        (lambda: Subject.exact(""), "or is nothing"),
        (lambda: Subject.github("acme/*", branch="main"), "is no GitHub repository"),
        (lambda: Subject.github("acme", branch="main"), "is no GitHub repository"),
        (lambda: Subject.gitlab("acme", branch="main"), "is no GitLab project"),
        (lambda: Subject.github("acme/data"), "Only one of `branch` and `environment`"),
        (lambda: Subject.github("acme/data", branch="main", environment="prod"), "Only one of `branch` and"),
    ],
)
def test_a_subject_that_lets_in_more_than_it_names_is_refused(subject: object, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        subject()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"subjects": ()}, "nobody may take"),
        ({"issuer": "http://gitlab.com"}, "is no issuer of tokens"),
        ({"issuer": "https://gitlab.com/"}, "is no issuer of tokens"),
        ({"provider_arn": PROVIDER.replace("123456789012", "210987654321")}, "is not the provider of"),
        ({"provider_arn": "github"}, "is not the provider of"),
        ({"name": "x" * 65}, "is no name of an IAM role"),
        ({"subjects": (Subject("repo:acme/*"),)}, "has a wildcard"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        args(**wrong)


def test_the_judges_accept_the_trust() -> None:
    statement = ci_trust(PROVIDER, "token.actions.githubusercontent.com", "sts.amazonaws.com", [MAIN])
    accepted = [
        "MALFORMED: Statement contains neither Resource",  # a trust policy is about the role that has it
        "UNKNOWN_FEDERATION_SOURCE",  # parliament knows the issuers of mobile apps only
    ]
    assert lint([statement], accepted=accepted) == set()
    issuers_own = ("sts:AssumeRoleWithWebIdentity does not know token.actions.githubusercontent.com:",)
    assert [one for one in mistakes([statement]) if not one.startswith(issuers_own)] == [], (
        "the reference lists no issuer's claims"
    )
