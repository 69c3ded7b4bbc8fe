"""Locations that a stack names: by name, by folder, by image."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.document import location_document
from hybrid.delivery.project import CodeSource
from hybrid.delivery.references import LocationImage, LocationPath, LocationReference, NamedLocation
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

DG = '[tool.dg.project]\nroot_module = "hello"\n'


def folder(path: Path, text: str = DG) -> Path:
    path.mkdir(parents=True)
    (path / "pyproject.toml").write_text(text)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    folder(root / "locations" / "hello")
    folder(root / "locations" / "other")
    return root


def names(root: Path, *wanted: LocationReference) -> list[str]:
    return [location.name for location in find_code_locations(root, wanted)]


def refusal(root: Path, *wanted: LocationReference) -> str:
    with pytest.raises(SettingsError) as caught:
        find_code_locations(root, wanted)
    return caught.value.sentence()


def test_those_that_are_named_are_found_in_the_order_of_the_list(checkout: Path) -> None:
    assert names(checkout, NamedLocation("other"), NamedLocation("hello")) == ["other", "hello"]
    assert names(checkout) == [], "an empty list is no location, not all"


def test_a_name_that_no_folder_has_is_refused_with_those_that_are(checkout: Path) -> None:
    said = refusal(checkout, NamedLocation("helo"))
    assert "No code location is called 'helo'" in said
    assert "hello, other" in said


def test_a_wrong_folder_holds_up_only_who_needs_it(checkout: Path) -> None:
    folder(checkout / "locations" / "broken", "=")
    assert names(checkout, NamedLocation("hello")) == ["hello"], "an experiment must not stop the release of another"
    assert "locations/broken/pyproject.toml, line 1" in refusal(checkout, NamedLocation("maybe_in_the_broken_one"))


def test_a_folder_elsewhere_is_found_inside_and_outside_of_the_checkout(checkout: Path, tmp_path: Path) -> None:
    folder(checkout / "examples" / "inside")
    outside = folder(tmp_path / "team" / "outside")
    absolute = folder(tmp_path / "absolute")
    found = find_code_locations(
        checkout,
        [LocationPath("examples/inside"), LocationPath("../team/outside"), LocationPath(str(absolute))],
    )
    assert [location.name for location in found] == ["inside", "outside", "absolute"]
    assert found[1].folder == outside
    assert [location.origin for location in found] == ["examples/inside", "../team/outside", str(absolute)]


def test_what_is_wrong_in_a_folder_elsewhere_is_shown_by_its_path(checkout: Path, tmp_path: Path) -> None:
    folder(tmp_path / "outside", DG + "queue = 1")
    assert "../outside/pyproject.toml, line 3" in refusal(checkout, LocationPath("../outside"))


def test_a_folder_elsewhere_without_a_location_is_refused(checkout: Path) -> None:
    (checkout / "empty").mkdir()
    assert "empty is not a code location that can be read" in refusal(checkout, LocationPath("empty"))


def test_a_folder_is_shared_also_with_a_location_that_is_not_served(checkout: Path) -> None:
    (checkout / "locations" / "hello" / "pyproject.toml").unlink()
    (checkout / "locations" / "hello" / "dagster_cloud.yaml").write_text(
        "locations:\n"
        "  - {location_name: a, code_source: {module_name: a}}\n"
        "  - {location_name: b, code_source: {module_name: b}}\n"
    )
    (location,) = find_code_locations(checkout, [NamedLocation("a")])
    assert location.shares_folder, "the stack that serves the other would write the same file"


@pytest.mark.parametrize("path", ["linked/hello", "linked", "../outside"])
def test_a_link_on_the_way_is_refused(checkout: Path, tmp_path: Path, path: str) -> None:
    (checkout / "linked").symlink_to(checkout / "locations")
    (tmp_path / "outside").symlink_to(checkout / "locations" / "hello")
    assert "leads through a symbolic link" in refusal(checkout, LocationPath(path))


def test_a_link_as_the_last_part_of_an_absolute_path_is_refused(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(checkout / "locations" / "hello")
    assert "leads through a symbolic link" in refusal(checkout, LocationPath(str(tmp_path / "link")))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("locations/../../x", "goes up after it went down"),
        ("..", "holds the whole checkout"),
        (".", "holds the whole checkout"),
        ("/", "holds the whole checkout"),
        ("none", "There is no folder none"),
        ("a\nb", "is not the path of a folder"),
        ("a\0b", "is not the path of a folder"),
        ("", "is not the path of a folder"),
    ],
)
def test_a_path_that_can_be_no_location_is_refused(checkout: Path, path: str, said: str) -> None:
    assert said in refusal(checkout, LocationPath(path))


def test_an_image_built_elsewhere_is_a_location_without_a_folder(checkout: Path) -> None:
    reference = LocationImage(
        image="registry.example/x:1",
        name="x",
        code_source=CodeSource("package_name", "x"),
        working_directory="/opt/x",
        agent_queue="gpu",
        container_context={"docker": {"env_vars": ["A=b=c"], "networks": None}},
    )
    (location,) = find_code_locations(checkout, [reference])
    assert (location.kind, location.origin) == ("image", "registry.example/x:1")
    assert location_document(location) == {
        "location_name": "x",
        "code_source": {"package_name": "x"},
        "image": "registry.example/x:1",
        "working_directory": "/opt/x",
        "agent_queue": "gpu",
        "container_context": {"docker": {"env_vars": ["A=b=c"]}},
    }


def test_one_name_for_a_folder_and_an_image_or_twice_in_the_list_is_refused(checkout: Path) -> None:
    image = LocationImage(image="r.example/x", name="hello", code_source=CodeSource("module_name", "x"))
    assert "locations/hello and r.example/x" in refusal(checkout, NamedLocation("hello"), image)
    assert "is listed twice" in refusal(checkout, NamedLocation("hello"), NamedLocation("hello"))
    assert "'hello'" in refusal(checkout, NamedLocation("hello"), LocationPath("locations/hello"))
