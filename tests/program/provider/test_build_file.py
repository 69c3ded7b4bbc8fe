"""A build file on the real engine."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.program


def test_a_build_file_through_its_whole_life(project):
    checkout = project.run_folder / "checkout"
    checkout.mkdir()
    theirs = checkout / "theirs.yaml"
    theirs.write_text("# kept\ndirectory: . # here\n")
    ours = checkout / "envs" / "prod" / "build.yaml"

    def declare(registry: str) -> None:
        project.declare(f"""
for name, path in (("ours", "envs/prod/build.yaml"), ("theirs", "theirs.yaml")):
    BuildFile(name, BuildFileArgs(checkout=str(RUN / "checkout"), path=path, values={{"registry": "{registry}"}}))
""")

    declare("r.example/a")
    assert not ours.exists()
    project.pulumi("preview")
    assert not ours.exists(), "a preview writes nothing"
    project.up()
    assert theirs.read_text() == "# kept\ndirectory: . # here\nregistry: r.example/a\n"
    assert "3 unchanged" in project.up()

    ours.write_text("registry: by-hand # mine\n")
    assert "1 updated" in project.up()
    assert ours.read_text() == "registry: r.example/a # mine\n"

    ours.unlink()
    assert "1 created" in project.up()
    declare("r.example/b")
    project.up()
    project.destroy()
    assert not ours.exists(), "it made that one, and nobody changed it since"
    assert theirs.read_text() == "# kept\ndirectory: . # here\nregistry: r.example/b\n"
