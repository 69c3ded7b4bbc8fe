"""The manifest is never of other models than those that are there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dbt_project import manifest
from dbt_project.manifest import MANIFESTS, StaleManifest, prepare, prepared


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project that may be changed."""
    return Path(shutil.copytree(manifest.PROJECT, tmp_path / "dbt"))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The projects that dbt was asked to parse; it is not started."""
    projects: list[Path] = []

    def parse(project: Path, target: Path) -> None:
        projects.append(project)
        (target / "manifest.json").write_text(json.dumps({"parse": len(projects)}))

    monkeypatch.setattr(manifest, "_parse", parse)
    return projects


def test_the_manifest_has_the_models_and_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepared()
    nodes = json.loads((folder / "manifest.json").read_text())["nodes"]
    assert "model.bakery.daily_sales" in nodes
    monkeypatch.setattr(manifest, "_parse", lambda *_: pytest.fail("it is there already"))
    assert prepared() == folder, "a location that loads again must not parse again"


@pytest.mark.parametrize("change", ["edited", "added", "removed", "renamed"])
def test_in_development_changed_models_are_parsed_again(project: Path, parsed: list[Path], change: str) -> None:
    first = prepared(project, {})
    _change(project, change)
    assert prepared(project, {}) != first
    assert len(parsed) == 2, f"a model that was {change} makes another manifest"


@pytest.mark.parametrize("change", ["edited", "added", "removed", "renamed"])
def test_in_an_image_changed_models_are_refused(project: Path, parsed: list[Path], tmp_path: Path, change: str) -> None:
    image = {MANIFESTS: str(tmp_path / "manifests")}
    assert prepare(project, image) == prepared(project, image), "as the image was built"
    _change(project, change)
    with pytest.raises(StaleManifest, match="changed after the image was built"):
        prepared(project, image)
    assert len(parsed) == 1, "an image does not parse when it starts"


def test_what_dbt_refuses_is_told_in_its_words_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    (project / "dbt_project.yml").write_text("name: bakery\nprofile: nonesuch\n")
    with pytest.raises(RuntimeError, match="Could not find profile named 'nonesuch'"):
        prepare(project, {MANIFESTS: str(tmp_path / "manifests")})
    assert list((tmp_path / "manifests").iterdir()) == [], "half a manifest would be taken for one"


def _change(project: Path, change: str) -> None:
    model = project / "models/marts/best_sellers.sql"
    if change == "edited":
        model.write_text(model.read_text() + "order by product\n")
    elif change == "added":
        (model.parent / "more.sql").write_text("select 1 as one")
    elif change == "removed":
        model.unlink()
    else:
        model.rename(model.with_name("others.sql"))
