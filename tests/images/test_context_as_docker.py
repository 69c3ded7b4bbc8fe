"""What our walk lists is what Docker sends: generated folders and ignore files against ``COPY . /x`` of the real
engine, with the ignore file that we hand to it.

A client that reads ``!`` otherwise than the newest is still right, which is why that file is not always the team's.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid.delivery.images.context import read_context
from hybrid.delivery.images.ignore import IgnoreRules

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

NAMES = [
    "a",
    "b",
    "foo",
    "bar",
    "a.py",
    "b.txt",
    "x+y",
    "é",
    "a b",
    ".git",
    "#c",
    "!d",
    "d^e",
    "[f]",
    "h ",
    ".dockerignore",
]
PARTS = [
    "a",
    "b",
    "foo",
    "bar",
    "*",
    "**",
    "?",
    "*.py",
    "*.txt",
    "[ab]",
    "[^a]",
    "foo*",
    "f?o",
    "**foo",
    "foo**",
    ".git",
]
PARTS += [r"\!d", r"a\ b", "x+y", "d^e", "é", "..", "."]

names = st.sampled_from(NAMES)
modes = st.sampled_from([0o644, 0o600, 0o755, 0o4755, 0o444])
leaves = st.one_of(st.tuples(st.binary(max_size=8), modes), st.just("link"))
trees = st.dictionaries(
    names, st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=4), max_leaves=8)
)
lines = st.builds(
    lambda sign, start, parts, end: f"{sign}{start}{'/'.join(parts)}{end}",
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
).filter(lambda line: line.strip("!/. ") != "")


def write(folder, tree):
    folder.mkdir(parents=True)
    for name, value in tree.items():
        if isinstance(value, dict):
            write(folder / name, value)
        elif value == "link":
            (folder / name).symlink_to("nowhere")
        else:
            (folder / name).write_bytes(value[0])
            (folder / name).chmod(value[1])


def listed(context):
    """Ours, as the tar below."""
    return {path: " ".join(value.split(" ")[:2]) for path, value in context.entries.items()}


def exported(file):
    with tarfile.open(file) as tar:
        return dict(copied(tar))


def copied(tar):
    for member in tar:
        path = member.name.removeprefix("x/")
        if member.name in {"x", "x/"}:
            continue
        if member.isdir():
            yield f"{path}/", f"{stat.S_IMODE(member.mode):04o} folder"
        elif member.issym():
            yield path, f"link {member.linkname}"
        else:
            digest = hashlib.sha256(tar.extractfile(member).read()).hexdigest()
            yield path, f"{stat.S_IMODE(member.mode):04o} {digest[:16]}"


@pytest.fixture(scope="module")
def built(docker, tmp_path_factory):
    """What ``COPY . /x`` yields of a folder and an ignore file."""
    folder = tmp_path_factory.mktemp("build")

    def build(context, ignore_text):
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n")
        (folder / "Dockerfile.dockerignore").write_text(ignore_text)
        tar = folder / "out.tar"
        docker.run("build", "--file", str(folder / "Dockerfile"), "--output", f"type=tar,dest={tar}", str(context))
        return exported(tar)

    return build


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(tree=trees, text=st.lists(lines, min_size=1, max_size=5).map("\n".join))
def test_a_generated_folder_is_listed_as_docker_copies_it(built, tmp_path_factory, tree, text):
    folder = tmp_path_factory.mktemp("tree") / "context"
    write(folder, tree)
    context = read_context(folder, IgnoreRules(text))

    assert built(folder, context.ignore_text) == listed(context), f"with the lines {text!r}"
    shutil.rmtree(folder.parent)
