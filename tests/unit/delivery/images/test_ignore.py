"""``.dockerignore`` as Docker reads it, case by case. That Docker's own client and engine agree is for
tests/images to show: what stands here was held against moby/patternmatcher 0.6.0 and fsutil once."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.errors import ContextError
from hybrid.delivery.images.ignore import IgnoreRules

pytestmark = pytest.mark.unit


def is_ignored(text, path):
    rules, above, ignored = IgnoreRules(text), (), False
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        ignored, above = rules.ignored("/".join(parts[:count]), above)
    return ignored


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("foo", "foo", True),
        ("foo", "a/foo", False),  # a line is anchored at the context, unlike git's
        ("foo", "foo/a/b", True),
        ("foo/", "foo", True),  # the slash at the end says nothing
        ("/foo", "foo", True),
        ("./foo//bar/../baz", "foo/baz", True),
        ("Foo", "foo", False),  # capitals count
        ("*.py", "a.py", True),
        ("*.py", "a/b.py", False),
        ("*/*.py", "a/b.py", True),
        ("**/*.py", "a.py", True),
        ("**/*.py", "a/b/c.py", True),
        ("**", "a/b", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("**foo", "xfoo", True),  # a quirk: stars at the start are a suffix
        ("foo**", "foobar/x", True),  # and at the end a prefix
        ("f?o", "fxo", True),
        ("f?o", "f/o", False),
        ("[ab]", "a", True),
        ("[^ab]", "a", False),
        ("[a-c]x", "bx", True),
        ("a.b", "axb", False),
        ("a+(b)", "a+(b)", True),
        (r"\*", "*", True),
        (r"\*", "x", False),
        (r"\!a", "!a", True),
        ("# foo", "# foo", False),
        (" # foo", "# foo", True),  # only a line that begins with it is a comment
        ("  foo  ", "foo", True),
        ("\ufefffoo", "foo", True),
        ("foo\r", "foo", True),
        ("*\n!a.py", "a.py", False),
        ("!a.py\n*", "a.py", True),  # the last line that matches counts
        ("*\n! a.py", "a.py", False),
        ("foo\n!foo/bar", "foo/bar/x", False),
        ("foo\n!foo/bar", "foo/baz", True),
        ("**/x\n!foo", "foo/x", True),  # a quirk: foo itself was not ignored, so its exception is not remembered
        ("*\n!**/*.py", "a/b.py", False),
        (".dockerignore\nDockerfile", "Dockerfile", True),  # BuildKit reads them before it sends anything
    ],
)  # fmt: skip
def test_a_path_is_left_out_as_docker_leaves_it_out(text, path, ignored):
    assert is_ignored(text, path) is ignored, f"{text!r} says of {path} that it is {'left out' if ignored else 'sent'}"


@pytest.mark.parametrize("line", ["[", "[a", "[]", "[]a]", "[a-]", "[-a]", "[^]", "a\\", "!", "!/", "foo*/[a"])
def test_a_line_that_is_no_pattern_is_named_with_its_number(line):
    with pytest.raises(ContextError, match=r"\.dockerignore, line 2: .* is no pattern") as raised:
        IgnoreRules(f"foo\n{line}")

    assert "Next:" in raised.value.sentence(), "the reader knows what to correct"


@pytest.mark.parametrize(
    ("text", "folder", "may"),
    [
        ("foo", "foo", False),
        ("foo\n!foo/bar", "foo", True),
        ("foo\n!bar", "foo", False),
        ("foo\n!**/bar", "foo", True),  # it could be anywhere
        ("foo\n!foo/**", "foo", True),
    ],
)
def test_a_folder_is_only_entered_when_something_in_it_may_be_sent(text, folder, may):
    assert IgnoreRules(text).may_hold_exceptions(folder) is may
