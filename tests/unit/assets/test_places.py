"""The ends of a copy as people and manifests name them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asset_values.faults import Fault, FaultKind
from hybrid.assets.places import Place, unusable
from hybrid.errors import UsageError

pytestmark = pytest.mark.unit


BLOBS = "abfss://values@acme.dfs.core.windows.net"


@pytest.mark.parametrize(
    "text", ["s3://values/assets", "s3://values", BLOBS, f"{BLOBS}/a/b", "/some/folder with blanks", "/ünï#?"]
)
def test_a_place_is_found_again_by_the_name_in_the_manifest(text: str) -> None:
    place = Place.of(text)
    assert Place.named(place.name) == place


def test_two_stores_with_a_bucket_of_one_name_are_not_taken_for_one() -> None:
    azurite = Place.of(BLOBS, endpoint="https://127.0.0.1:10000/acme")
    assert azurite.name != Place.of(BLOBS).name
    assert Place.named(azurite.name) == azurite
    aws, other = Place.of("s3://values/a"), Place.of("s3://values/a", endpoint="https://minio.example")
    assert aws.name != other.name
    assert Place.named(other.name) == other


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_every_folder_is_found_again(name: str) -> None:
    place = Place(Path("/values") / name.replace("/", "_"))
    assert Place.named(place.name) == place


def test_serverless_storage_is_no_place_that_can_be_opened_by_its_name() -> None:
    assert Place.named("Serverless storage of prod at https://acme.agent.dagster.cloud") is None


@pytest.mark.parametrize(
    "text",
    [
        *("gs://values/a", "https://values", "s3://No_Bucket/a", "s3://", "abfss://values", f"{BLOBS}/a//b"),
        *("abfss://Values@acme.dfs.core.windows.net", "abfss://a--b@acme.dfs.core.windows.net/x"),
        *("abfss://values@acme.blob.core.windows.net", "abfss://values@acme.dfs.evil/../x", f"{BLOBS}/.."),
    ],
)
def test_what_is_no_place_is_refused_with_words(text: str) -> None:
    with pytest.raises(UsageError, match="no place for stored values"):
        Place.of(text)


def test_an_endpoint_belongs_to_s3() -> None:
    with pytest.raises(UsageError, match="--endpoint"):
        Place.of("/folder", endpoint="https://x")


def test_a_folder_to_write_to_is_made_and_one_to_read_has_to_be_there(tmp_path: Path) -> None:
    new = tmp_path / "a" / "b"
    with pytest.raises(UsageError, match="cannot be used"):
        Place.of(str(new)).opened(1, to_write=False)
    Place.of(str(new)).opened(1, to_write=True)
    assert new.is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        Place.of(str(tmp_path / "file")).opened(1, to_write=True)


def test_a_missing_permission_is_named_with_what_to_do() -> None:
    error = unusable("s3://values", Fault(FaultKind.DENIED, "not allowed", action="s3:PutObject"))
    assert error.exit_code == 14
    assert "s3:PutObject" in (error.next_step or "")
