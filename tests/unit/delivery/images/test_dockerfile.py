"""The images that a Dockerfile starts from. That BuildKit reads the same file alike is for tests/images to show."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.dockerfile import Dockerfile
from hybrid.delivery.images.errors import DockerfileError

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64


def references(text, **arguments):
    return Dockerfile(text, arguments).references


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM python:3.12", ("python:3.12",)),
        ("from python:3.12 as Build\nFROM build\nFROM BUILD", ("python:3.12",)),
        ("FROM --platform=$BUILDPLATFORM python:3.12 AS b", ("python:3.12",)),
        ("FROM scratch\nCOPY a /a", ()),
        ("ARG BASE=python:3.12\nFROM ${BASE}", ("python:3.12",)),
        ("ARG V=3.12\nARG BASE=python:$V\nFROM $BASE", ("python:3.12",)),
        ("ARG V=\nFROM python:${V:-3.11}", ("python:3.11",)),
        ("ARG V\nFROM python:${V:-3.11}", ("python:3.11",)),
        ("ARG V=3.12\nFROM python:${V:+slim}", ("python:slim",)),
        ('ARG BASE="python:3.12"\nFROM "${BASE}"', ("python:3.12",)),
        ("FROM a AS x\nCOPY --from=x /a /a\nCOPY --chown=1 --from=ghcr.io/b/c:1 /a /a", ("a", "ghcr.io/b/c:1")),
        ("FROM a\nCOPY --from=0 /a /a", ("a",)),
        ("FROM a\nRUN --mount=type=bind,from=b:2,target=/x --mount=type=cache,target=/c echo --mount=from=no",
         ("a", "b:2")),
        ("FROM a\nCOPY src --from=no /x", ("a",)),
        ("# syntax=docker/dockerfile:1\nFROM a", ("docker/dockerfile:1", "a")),
        ("# a comment\n# syntax=docker/dockerfile:1\nFROM a", ("a",)),
        ("FROM \\\n  # a comment between\n\n  a:1 \\\n  AS x", ("a:1",)),
        ("# escape=`\nFROM `\n a:1\nRUN echo \\\nFROM b:1", ("a:1", "b:1")),
        ("FROM a\nRUN <<EOF\nFROM no:1\nEOF\nFROM b", ("a", "b")),
        ("FROM a\nCOPY <<-'X' <<Y /x/\n\tFROM no:1\n\tX\nFROM no:2\nY\nFROM b", ("a", "b")),
        ("FROM a AS build-amd64\nFROM a AS build-arm64\nFROM build-${TARGETARCH}", ("a",)),
        ("FROM a\nARG B=later\nFROM ${B:-b}", ("a", "b")),  # an ARG below FROM counts in its stage alone
        ("FROM a@" + DIGEST, ("a@" + DIGEST,)),
        ("FROM\ta", ("a",)),
        ("FROM a\r\nRUN x\r\n", ("a",)),
    ],
)  # fmt: skip
def test_the_images_from_elsewhere_are_found(text, expected):
    assert references(text) == expected


def test_a_build_argument_takes_the_place_of_its_default():
    assert references("ARG BASE=python:3.12\nFROM $BASE", BASE="mine:1") == ("mine:1",)
    assert references("FROM a${BASE}", BASE="mine:1") == ("a",), "an argument that the file does not declare is not had"


def test_each_image_is_pinned_and_all_else_stays():
    text = (
        "# syntax=docker/dockerfile:1\nARG A=python:3.12\n# FROM ${A}\nFROM ${A} AS x  # not a comment to Docker\n"
    ).replace("  # not a comment to Docker", "")
    text += "FROM other@" + DIGEST + "\nCOPY --from=tools:1 /tools:1 /x\nCOPY --from=x /a /a\n"
    pinned = Dockerfile(text, {}).pinned(lambda reference: DIGEST)

    assert pinned == (
        f"# syntax=docker/dockerfile:1@{DIGEST}\nARG A=python:3.12\n# FROM ${{A}}\nFROM python:3.12@{DIGEST} AS x\n"
        f"FROM other@{DIGEST}\nCOPY --from=tools:1@{DIGEST} /tools:1 /x\nCOPY --from=x /a /a\n"
    )


def test_an_image_without_a_digest_stays_as_it_is_written():
    assert Dockerfile("FROM mine", {}).pinned(lambda reference: None) == "FROM mine"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("RUN x", "has no FROM"),
        ("", "has no FROM"),
        ("ARG A\nFROM $A", r"\$A is empty"),
        ("FROM a:$TARGETARCH", "depends on the platform"),
        ("FROM a AS", "not of the form"),
        ("FROM py\\\nthon", "over several lines"),
        ("FROM a\nFROM $UNSET/b:1", r"line 2: .*\n'/b:1' is no image reference: "),
    ],
)
def test_what_cannot_be_told_before_the_build_is_refused(text, why):
    with pytest.raises(DockerfileError, match=why) as raised:
        references(text)
    assert "Next:" in raised.value.sentence()


def test_the_error_names_the_line():
    with pytest.raises(DockerfileError, match=r"mine, line 3: `FROM`"):
        Dockerfile("FROM a\n\nFROM a b\n", {}, "mine")
