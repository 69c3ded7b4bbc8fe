"""`BuildFile` in a checkout of the test: what it writes, what it leaves, and that no path leads out."""

from __future__ import annotations

import os

import pytest

from hybrid.errors import HybridError
from hybrid.provider.build_file import BuildFile
from hybrid.provider.checkout_file import CheckoutFile, path_fault
from hybrid.provider.properties import UNKNOWN

pytestmark = pytest.mark.unit


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


@pytest.fixture
def inputs(checkout):
    return {"checkout": str(checkout), "path": "envs/prod/build.yaml", "values": {"registry": "r.example/hello"}}


@pytest.fixture
def file(checkout):
    path = checkout / "envs" / "prod" / "build.yaml"
    path.parent.mkdir(parents=True)
    return path


resource = BuildFile()


def test_a_new_file_is_made_with_its_folders_and_removed_again(inputs, call, checkout):
    made = resource.create(inputs, call)
    path = checkout / "envs" / "prod" / "build.yaml"
    assert path.read_text() == "registry: r.example/hello\n"
    assert made.outputs["isOurs"] is True
    assert [entry.name for entry in path.parent.iterdir()] == ["build.yaml"], "nothing is left beside it"

    resource.delete(made.id, inputs, made.outputs, call)

    assert not path.exists()
    resource.delete(made.id, inputs, made.outputs, call)


def test_a_file_that_was_there_keeps_comments_keys_and_mode_and_stays(inputs, call, file, report):
    file.write_text("# ours since 2020\nregistry: old # why\ndirectory: .\n")
    file.chmod(0o600)

    made = resource.create(inputs, call)

    assert file.read_text() == "# ours since 2020\nregistry: r.example/hello # why\ndirectory: .\n"
    assert file.stat().st_mode & 0o777 == 0o600
    resource.delete(made.id, inputs, made.outputs, call)
    assert file.exists(), "it is somebody's"
    assert report.said[-1][0] == "warning"


def test_a_file_of_ours_that_somebody_changed_is_not_removed(inputs, call, checkout, report):
    made = resource.create(inputs, call)
    path = checkout / "envs" / "prod" / "build.yaml"
    path.write_text(path.read_text() + "# mine\n")

    resource.delete(made.id, inputs, made.outputs, call)

    assert path.exists()
    assert "stays" in report.said[-1][1]


def test_a_changed_key_is_drift_and_a_foreign_one_is_not(inputs, call, checkout):
    made = resource.create(inputs, call)
    path = checkout / "envs" / "prod" / "build.yaml"
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}

    path.write_text("# mine\nregistry: r.example/hello\ndirectory: .\n")
    found = resource.read(made.id, inputs, made.outputs, call)
    assert found.inputs == {}
    assert found.outputs["isOurs"] is False, "somebody else's words are in it"

    path.write_text("registry: 2020-01-01\n")
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {"values": {"registry": "2020-01-01"}}

    path.unlink()
    assert resource.read(made.id, inputs, made.outputs, call) is None


def test_an_update_refuses_a_file_that_changed_since_it_was_looked_at(inputs, call, checkout):
    made = resource.create(inputs, call)
    path = checkout / "envs" / "prod" / "build.yaml"
    path.write_text("registry: theirs\n")

    with pytest.raises(HybridError, match="changed since it was looked at"):
        resource.update(made.id, made.outputs, {**inputs, "values": {"registry": "new"}}, call)

    assert path.read_text() == "registry: theirs\n"
    looked = resource.read(made.id, inputs, made.outputs, call)
    resource.update(made.id, looked.outputs, {**inputs, "values": {"registry": "new"}}, call)
    assert path.read_text() == "registry: new\n", "what a refresh has shown may be changed"


def test_an_update_takes_out_only_keys_that_this_resource_set(inputs, call, file):
    file.write_text("directory: .\n")
    made = resource.create({**inputs, "values": {"registry": "a", "extra": 1}}, call)

    resource.update(made.id, made.outputs, inputs, call)

    assert file.read_text() == "directory: .\nregistry: r.example/hello\n"


def test_a_file_that_changes_while_it_is_written_is_kept(checkout, monkeypatch):
    file = CheckoutFile(checkout, "build.yaml")
    file.write("a: 1\n", expected=None)

    def meanwhile(*arguments):
        (checkout / "build.yaml").write_text("theirs: 1\n")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(HybridError, match="changed while it was worked on"):
        file.write("a: 2\n", expected="a: 1\n")

    assert (checkout / "build.yaml").read_text() == "theirs: 1\n"
    assert [entry.name for entry in checkout.iterdir()] == ["build.yaml"], "nothing is left beside it"
    with pytest.raises(HybridError, match="changed while"):
        file.delete(expected="a: 1\n")


@pytest.mark.parametrize(
    "path",
    ["/etc/x.yaml", "../x.yaml", "a/../../x.yaml", "a//x.yaml", "./x.yaml", "", "x", "x.py", ".git/x.yaml",
     ".GIT/x.yaml", "a\\..\\x.yaml", "a\0.yaml", "a\n.yaml", "a/", ".yaml/"],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused(inputs, checkout, path):
    assert path_fault(path) is not None
    with pytest.raises(HybridError):
        CheckoutFile(checkout, path)
    (failure,) = resource.check({**inputs, "path": path})
    assert failure.path == "path"


def test_a_link_on_the_way_is_refused_for_reading_writing_and_deleting(inputs, call, checkout, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "build.yaml").write_text("registry: outside\n")
    (checkout / "link").symlink_to(outside)
    (checkout / "build.yaml").symlink_to(outside / "build.yaml")

    for path in ("link/build.yaml", "build.yaml"):
        with pytest.raises(HybridError, match="not a file of the checkout"):
            resource.create({**inputs, "path": path}, call)
        with pytest.raises(HybridError, match="not a file of the checkout"):
            CheckoutFile(checkout, path).write("a: 1\n", expected=None)
        with pytest.raises(HybridError, match="not a file of the checkout"):
            CheckoutFile(checkout, path).delete(expected="registry: outside\n")
    assert (outside / "build.yaml").read_text() == "registry: outside\n"
    assert [entry.name for entry in outside.iterdir()] == ["build.yaml"]


def test_what_is_no_plain_file_is_refused_without_waiting_for_it(inputs, call, checkout):
    os.mkfifo(checkout / "build.yaml")
    with pytest.raises(HybridError, match="not a file of the checkout"):
        resource.create({**inputs, "path": "build.yaml"}, call)
    (checkout / "folder.yaml").mkdir()
    with pytest.raises(HybridError, match="not a file of the checkout"):
        resource.create({**inputs, "path": "folder.yaml"}, call)


def test_a_file_that_is_no_text_is_refused(inputs, call, checkout):
    (checkout / "build.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(HybridError, match="no text in UTF-8"):
        resource.create({**inputs, "path": "build.yaml"}, call)


def test_a_checkout_that_is_gone_is_no_error_for_what_is_to_go(inputs, call):
    inputs["checkout"] += "-gone"

    assert resource.read("id", inputs, {}, call) is None
    resource.delete("id", inputs, {}, call)
    assert [failure.path for failure in resource.check(inputs)] == ["checkout"]
    assert not resource.check({**inputs, "checkout": UNKNOWN, "path": UNKNOWN})
