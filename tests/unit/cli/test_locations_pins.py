"""Pins in a stack file: what is set, and that nothing else of a person's file moves. The commands on top of it too."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hybrid.delivery.pins import StackFile, pinned, pins_of, unpinned
from hybrid.errors import HybridError, SettingsError

pytestmark = pytest.mark.unit

IMAGE = "127.0.0.1:5000/acme/hello@sha256:" + "a" * 64
OTHER = "127.0.0.1:5000/acme/hello@sha256:" + "b" * 64
NAMES = ("hello", "dlt_pipeline", "123", "true", "null", "1e3", "a.b-c", "on", "0x1f")

COMMENTS = st.sampled_from(["", "  # why", "   #", "  # {not: yaml}"])
BEFORE = st.lists(
    st.sampled_from(
        [
            "# a head comment",
            "",
            'encryptionsalt: "v1:x"  # the salt',
            "secretsprovider: default",
            "other: {a: [1, 2], 'b': c}",
            "list:\n- a\n-   b # odd",
        ]
    ),
    max_size=4,
    unique=True,
)
SETTINGS = st.lists(
    st.sampled_from(
        [
            "hybrid:organization: acme  # ours",
            "hybrid:agent:\n{i}{i}kind: 'local'\n\n{i}{i}# inside",
            'hybrid:locations: [hello, "x"]',
            "aws:region: eu-west-1",
            "note: |\n{i}{i}kept\n\n{i}{i}as it is",
            "# between",
        ]
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@st.composite
def stack_files(draw: st.DrawFn) -> tuple[str, str, dict[str, str]]:
    """What stands before the pins, what stands after them, and the pins that are there in between (joined with
    newlines by ``whole``)."""
    indent = " " * draw(st.integers(1, 5))
    before = [*draw(BEFORE), "config:" + draw(COMMENTS)]
    keys = [line.replace("{i}", indent) for line in draw(SETTINGS)]
    cut = draw(st.integers(0, len(keys)))
    if all(line.startswith("#") for line in keys):
        keys.append("hybrid:deployment: prod")
    indented = ["\n".join(f"{indent}{part}" if part else "" for part in line.split("\n")) for line in keys]
    after = [line for line in draw(BEFORE) if line not in before]
    head = "\n".join([*before, *indented[:cut]]) + "\n"
    tail = "\n".join([*indented[cut:], *after]) + draw(st.sampled_from(["", "\n", "\n\n", "\n# end"]))
    pins = dict.fromkeys(draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)), OTHER)
    return head, tail, pins


def block(pins: dict[str, str], head: str, tail: str) -> str:
    """The lines of the pins, as deep as the settings around them."""
    lines = [line for line in (head + tail).split("\n") if line.startswith(" ") and "hybrid:" in line.split("#")[0]]
    first = next(
        line for line in (head.split("config:")[1] + tail).split("\n")[1:] if line.strip() and line.strip("# ") != ""
    )
    indent = " " * (len((lines or [first])[0]) - len((lines or [first])[0].lstrip()))
    below = "".join(f'{indent}  "{name}": {image}  # since May\n' for name, image in pins.items())
    return f"{indent}hybrid:pins:  # held\n{below}" if pins else ""


def loads(text: str) -> bool:
    try:
        yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return True


@settings(deadline=None)
@given(parts=stack_files(), name=st.sampled_from(NAMES), windows=st.booleans())
def test_a_pin_moves_nothing_of_the_file_but_the_pins(
    parts: tuple[str, str, dict[str, str]], name: str, windows: bool
) -> None:
    head, tail, pins = parts
    newline = "\r\n" if windows else "\n"
    head, middle, tail = (part.replace("\n", newline) for part in (head, block(pins, head, tail), tail))
    text = head + middle + tail
    assume(loads(text))
    result = pinned(text, name, IMAGE, "stacks/Pulumi.x.yaml")
    assert pins_of(result, "x") == {**pins, name: IMAGE}, result
    if middle:
        assert result.startswith(head), "what stands before the pins is as it was"
        assert result.rstrip("\r\n").endswith(tail.rstrip("\r\n")), "what stands after the pins is as it was"
        assert result.count("# since May") == len(pins), "the other pins keep their comments"
    else:
        assert inserted_only(text, result), "without pins before, lines are added and none is touched"
    assert (newline == "\r\n") == ("\r\n" in result), "line ends stay what they are"
    assert dict(YAML(typ="safe").load(result)["config"]["hybrid:pins"])[name] == IMAGE, "another reader says the same"
    assert pinned(result, name, IMAGE, "x") == result, "a second time changes nothing"
    if name not in pins:
        back = unpinned(result, name, "x")
        assert back.rstrip("\r\n") == text.rstrip("\r\n"), "and unpinning brings the file back"


@settings(deadline=None)
@given(parts=stack_files(), name=st.sampled_from(NAMES))
def test_an_unpin_takes_that_line_and_no_other(parts: tuple[str, str, dict[str, str]], name: str) -> None:
    head, tail, pins = parts
    text = head + block(pins, head, tail) + tail
    assume(loads(text))
    kept = {key: image for key, image in pins.items() if key != name}
    result = unpinned(text, name, "x")
    assert pins_of(result, "x") == kept
    assert result.startswith(head), "what stands before the pins is as it was"
    assert result.endswith(tail), "what stands after them too"
    if name not in pins:
        assert result == text, "unpinning what is not pinned changes nothing"


@settings(deadline=None)
@given(
    text=st.lists(
        st.sampled_from([*"ab:{}[]&*<-#|>'\",~ \n\r\t\ufeff", "config:", "hybrid:pins:", "\n  ", "\n    "]),
        max_size=60,
    ).map("".join),
    name=st.sampled_from(NAMES),
)
def test_any_text_is_edited_right_or_refused(text: str, name: str) -> None:
    try:
        before = yaml.safe_load(text) or {}
        result = pinned(text, name, IMAGE, "x")
    except (HybridError, yaml.YAMLError, ValueError, TypeError):
        return
    after = yaml.safe_load(result)
    assert after["config"].pop("hybrid:pins")[name] == IMAGE
    (before.get("config") or {}).pop("hybrid:pins", None)
    assert (after["config"] or {}) == (before.get("config") or {}), "the rest of the settings is as it was"
    assert {**before, "config": 0} == {**after, "config": 0}


def inserted_only(text: str, result: str) -> bool:
    return common(text, result) + common(text[::-1], result[::-1]) >= len(text)


def common(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"config:\n  hybrid:pins:\n    hello: {IMAGE}\n"),
        ("config: {}\n", f"config:\n  hybrid:pins:\n    hello: {IMAGE}\n"),
        ("config:\n", f"config:\n  hybrid:pins:\n    hello: {IMAGE}\n"),
        ("config: # c\nz: 1\n", f"config: # c\n  hybrid:pins:\n    hello: {IMAGE}\nz: 1\n"),
        ("config: null # c\n", f"config: # c\n  hybrid:pins:\n    hello: {IMAGE}\n"),
        ("config:\n  hybrid:pins: {}\n  a: 1\n", f"config:\n  hybrid:pins:\n    hello: {IMAGE}\n  a: 1\n"),
        ("config: {a: 1}\n", f'config: {{a: 1, "hybrid:pins": {{hello: {IMAGE}}}}}\n'),
        ("config:\n  hybrid:pins: {x: y}\n", f"config:\n  hybrid:pins: {{x: y, hello: {IMAGE}}}\n"),
        ('config:\n  hybrid:pins:\n    hello: "old" # c\n', f'config:\n  hybrid:pins:\n    hello: "{IMAGE}" # c\n'),
        ("a: |+\n  x\n\n\n", f"config:\n  hybrid:pins:\n    hello: {IMAGE}\na: |+\n  x\n\n\n"),
        ("# only a comment\n", f"# only a comment\nconfig:\n  hybrid:pins:\n    hello: {IMAGE}\n"),
    ],
)
def test_the_usual_and_the_odd_layouts_are_written_so(text: str, expected: str) -> None:
    assert pinned(text, "hello", IMAGE, "x") == expected


@pytest.mark.parametrize(
    "text",
    [
        "a: &p {x: y}\nconfig:\n  hybrid:pins: *p\n",
        "config:\n  hybrid:pins: &p\n    x: y\n  other: *p\n",
        "base: &b\n  hybrid:pins: {x: y}\nconfig:\n  <<: *b\n",
        "config: [a]\n",
        "config:\n  hybrid:pins: hello\n",
        "config:\n  hybrid:pins: {hello: 1}\n",
        "config: {a: 1}\nconfig: {b: 1}\n",
        "a: 1\n---\nb: 2\n",
        "config:\n\thybrid:pins: {}\n",
        "config: [\n",
    ],
)
def test_what_cannot_be_changed_in_place_is_refused_with_the_file_s_name(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        pinned(text, "hello", IMAGE, "stacks/Pulumi.x.yaml")
    assert "stacks/Pulumi.x.yaml" in refused.value.sentence(), "people must know which file to mend"
    assert refused.value.next_step


def test_a_billion_laughs_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(SettingsError, match="more than"):
        pinned("\n".join(lines) + "\nconfig: {}\n", "hello", IMAGE, "x")


def test_a_file_that_somebody_changed_meanwhile_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "stacks" / "Pulumi.prod.yaml"
    path.parent.mkdir()
    path.write_text("config: {a: 1}\n")
    file = StackFile(path)
    path.write_text("config: {a: 2}\n")
    with pytest.raises(SettingsError, match="changed while"):
        file.pin("hello", IMAGE)
    assert path.read_text() == "config: {a: 2}\n", "the other's edit survives"
    assert list(path.parent.iterdir()) == [path], "nothing half-written is left"


def test_a_written_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / "stacks"
    folder.mkdir()
    path, link = folder / "real.yaml", folder / "Pulumi.prod.yaml"
    path.write_text("config:\n  a: 1\n")
    path.chmod(0o640)
    link.symlink_to(path)
    assert StackFile(link).pin("hello", IMAGE), "the file had to change"
    assert not StackFile(link).pin("hello", IMAGE), "and has not to a second time"
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert StackFile(link).pins == {"hello": IMAGE}


@pytest.mark.parametrize(
    ("name", "image"), [("a: b", IMAGE), ("hello", "x\n  evil: 1"), ("hello", "a b"), ("-x", IMAGE)]
)
def test_what_could_be_more_than_one_pin_is_refused(name: str, image: str) -> None:
    with pytest.raises(HybridError):
        pinned("config: {}\n", name, image, "x")
