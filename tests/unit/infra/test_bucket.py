"""The bucket as the program declares it, and what is granted on it. S3 itself is not here: that it takes these inputs
is seen at the provider's level."""

from __future__ import annotations

import json

import pulumi
import pytest

from hybrid.errors import SettingsError
from infra.bucket import Bucket, BucketArgs, access_statements, bucket_statements
from infra.keeping import Adoption
from infra.place import Place
from infra.roles import RoleArgs, TaskRole
from tests.unit.infra import recording
from tests.unit.infra.judged import lint, mistakes

pytestmark = pytest.mark.unit

PLACE = Place("123456789012", "eu-west-1")
NAME = "hybrid-prod-123456789012-eu-west-1"
ARN = f"arn:aws:s3:::{NAME}"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a0a0a0a-0b0b-0c0c-0d0d-0e0e0e0e0e0e"
BUCKET = "aws:s3/bucket:Bucket"
PARTS = ["data-encryption", "data-lifecycle", "data-ownership", "data-policy", "data-private", "data-versioning"]


def made(**changed: object) -> recording.Record:
    return recording.run(lambda: Bucket("data", BucketArgs(**{"name": NAME, "place": PLACE, **changed})))  # type: ignore


def test_a_bucket_is_private_encrypted_versioned_and_reached_by_tls_only() -> None:
    record = made()

    assert record.only(BUCKET).inputs == {"bucket": NAME}, "what an import could not compare is left out"
    block = record.named("data-private").inputs
    assert {name for name, value in block.items() if value is True} == {
        "blockPublicAcls",
        "blockPublicPolicy",
        "ignorePublicAcls",
        "restrictPublicBuckets",
    }
    assert record.named("data-ownership").inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert record.named("data-versioning").inputs["versioningConfiguration"] == {"status": "Enabled"}
    assert record.named("data-encryption").inputs["rules"] == [
        {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    ]
    denied = json.loads(record.named("data-policy").inputs["policy"])["Statement"]
    assert [(one["Effect"], one["Principal"], one["Action"]) for one in denied] == [("Deny", "*", "s3:*")] * 2
    assert [one["Resource"] for one in denied] == [[ARN, f"{ARN}/*"]] * 2, "the bucket and what is in it"
    assert denied[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied[1]["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}


def test_every_part_is_the_components_and_about_its_bucket() -> None:
    record = made()
    assert sorted(one.name for one in record.resources if one.parent == "data") == ["data-bucket", *PARTS]
    for part in PARTS:
        assert record.named(part).inputs["bucket"] == NAME
        assert "data-bucket" in record.named(part).options.depends_on
    assert "data-ownership" in record.named("data-private").options.depends_on, "S3 takes one change at a time"
    assert "data-private" in record.named("data-policy").options.depends_on
    assert "data-versioning" in record.named("data-lifecycle").options.depends_on
    assert record.value(record.result.bucket_name) == NAME
    assert record.value(record.result.arn) == ARN


def test_data_outlives_the_stack_together_with_what_protects_it() -> None:
    record = made()
    kept = {one.name for one in record.resources if one.options.retain_on_delete}
    assert kept == {"data-bucket", *PARTS}, "a bucket that is kept keeps its policy and its encryption"
    assert "forceDestroy" not in record.only(BUCKET).inputs


@pytest.mark.parametrize(("on_destroy", "forced"), [("remove-if-empty", None), ("remove", True)])
def test_a_bucket_goes_when_told(on_destroy: str, forced: bool | None) -> None:
    record = made(on_destroy=on_destroy)
    assert not any(one.options.retain_on_delete for one in record.resources)
    assert record.only(BUCKET).inputs.get("forceDestroy") == forced


def test_a_bucket_that_stands_is_imported_and_its_parts_are_written_over() -> None:
    record = made(adopted=Adoption(NAME))
    bucket = record.only(BUCKET)
    assert (bucket.options.imported, bucket.options.ignore_changes) == (NAME, ())
    assert not any(record.named(part).options.imported for part in PARTS), "S3 overwrites these"


def test_a_stack_stood_up_again_takes_the_tags_as_they_are_once() -> None:
    bucket = made(adopted=Adoption(NAME, leave_tags=True)).only(BUCKET)
    assert bucket.options.ignore_changes == ("tags", "tagsAll")


def test_old_things_go_and_nothing_else() -> None:
    rules = made(expirations={"compute-logs/": 30, "a/b/": 7}).named("data-lifecycle").inputs["rules"]
    assert rules == [
        {
            "id": "unfinished-uploads",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
        },
        {
            "id": "old-versions",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrentVersionExpiration": {"noncurrentDays": 30},
            "expiration": {"expiredObjectDeleteMarker": True},
        },
        {"id": "expire-a-b", "status": "Enabled", "filter": {"prefix": "a/b/"}, "expiration": {"days": 7}},
        {
            "id": "expire-compute-logs",
            "status": "Enabled",
            "filter": {"prefix": "compute-logs/"},
            "expiration": {"days": 30},
        },
    ]
    assert len(made(noncurrent_days=9).named("data-lifecycle").inputs["rules"]) == 2, "asset values never expire"


def test_versions_turned_off_are_suspended() -> None:
    versioning = made(versioned=False).named("data-versioning").inputs["versioningConfiguration"]
    assert versioning == {"status": "Suspended"}, "left out, a kept bucket would go on as it was"


def test_a_key_of_ones_own_encrypts_with_bucket_keys() -> None:
    (rule,) = made(key_arn=KEY).named("data-encryption").inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY}
    assert rule["bucketKeyEnabled"] is True


def test_older_tls_is_taken_where_told() -> None:
    (only,) = bucket_statements(ARN, None)
    assert only.sid == "TlsOnly"


def granted(kind: str, *, prefix: str = "assets/", key_arn: str | None = None) -> list[dict[str, object]]:
    def build() -> None:
        key = key_arn and pulumi.Output.from_input(key_arn)
        bucket = Bucket("data", BucketArgs(name=NAME, place=PLACE, key_arn=key))
        role = TaskRole("code", RoleArgs("hybrid-prod-code", "Runs", PLACE))
        getattr(bucket, kind)("assets", role, prefix)

    policy = recording.run(build).named("code-assets")
    assert policy.token == "aws:iam/rolePolicy:RolePolicy"
    return json.loads(policy.inputs["policy"])["Statement"]


def test_reading_is_fenced_to_the_prefix() -> None:
    listing, reading = granted("grant_read")
    assert (listing["Action"], listing["Resource"]) == ("s3:ListBucket", ARN)
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["assets", "assets/*"]}}
    assert (reading["Action"], reading["Resource"]) == ("s3:GetObject", f"{ARN}/assets/*")


def test_writing_is_fenced_to_the_prefix() -> None:
    _, using = granted("grant_read_write")
    assert using["Resource"] == f"{ARN}/assets/*"
    assert set(using["Action"]) == {  # type: ignore[arg-type]
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
    }


@pytest.mark.parametrize(
    ("kind", "actions"),
    [("grant_read", "kms:Decrypt"), ("grant_read_write", ["kms:Decrypt", "kms:GenerateDataKey"])],
)
def test_the_buckets_own_key_is_used_through_s3_only(kind: str, actions: object) -> None:
    *_, using = granted(kind, key_arn=KEY)
    assert (using["Action"], using["Resource"]) == (actions, KEY)
    assert using["Condition"] == {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}


@pytest.mark.parametrize("prefix", ["assets", "/assets/", "", "/", "*/", "a?/", "${aws:username}/", "a//"])
def test_a_prefix_that_would_reach_further_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="is no prefix that can be granted"):
        granted("grant_read", prefix=prefix)
    with pytest.raises(SettingsError, match="is no prefix that can be granted"):
        BucketArgs(name=NAME, place=PLACE, expirations={prefix: 1})


@pytest.mark.parametrize("name", ["ab", "x" * 64, "Data", "a.b", "-ab", "ab-", "xn--data", "data-s3alias", "a_b"])
def test_what_s3_would_not_take_as_a_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no name of a bucket"):
        BucketArgs(name=name, place=PLACE)


@pytest.mark.parametrize("wrong", [{"noncurrent_days": 0}, {"expirations": {"logs/": 0}}])
def test_days_are_at_least_one(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="it takes 1 or more"):
        made(**wrong)


def test_the_judges_accept_what_is_granted_and_denied() -> None:
    for write in (True, False):
        for key in (KEY, None):
            statements = access_statements(ARN, "assets/", PLACE, key, write=write)
            assert mistakes(statements) == []
            assert lint(statements) == set()
    accepted = [
        # AWS takes numbers in conditions as text as well, and shows them so
        "MISMATCHED_TYPE: Type mismatch: s3:TlsVersion",
        # s3:* has actions that never reach a bucket and do not know the key
        "UNKNOWN_CONDITION_FOR_ACTION: Unknown condition s3:TlsVersion for action s3:InitiateReplication",
        "UNKNOWN_CONDITION_FOR_ACTION: Unknown condition s3:TlsVersion for action s3:PutAccessPointPublicAccessBlock",
    ]
    assert lint(bucket_statements(ARN), accepted=accepted) == set()
