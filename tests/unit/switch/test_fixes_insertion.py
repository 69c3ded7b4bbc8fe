"""An executor put into the one `Definitions(...)` of a file: all other bytes stay, and what is unclear is refused."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.switch.fixes.insertion import Unclear, count_of_definitions, with_executor

pytestmark = pytest.mark.unit

HEADS = {
    "from dagster import Definitions{import}": "Definitions",
    "import dagster as dg{import}": "dg.Definitions",
    "import dagster{import}": "dagster.Definitions",
    "from dagster import (  # all that is needed{nl}    Definitions,{nl}    asset,{nl}){import}": "Definitions",
}
ARGUMENTS = (
    "",
    "assets=[{a}]",
    "assets=[{a}],",
    "{nl}    assets=[{a}],  # {c}{nl}    jobs=[],{nl}",
    "{nl}    assets=[{a}],{nl}    jobs=([]){nl}",
    "{nl}\tassets=[{a}], jobs=[]  # {c}{nl}",
    "[{a}], jobs=(  # {c}{nl}    []{nl}  ) ,  # {c}{nl}  # {c}{nl}",
    "  # {c}{nl}",
)


@st.composite
def modules(draw):
    """Files with exactly one call of Definitions, as people write them."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)
    head = draw(st.sampled_from(sorted(HEADS)))
    call = HEADS[head]
    values = {"nl": newline, "import": draw(st.sampled_from(["", "  # é", newline + "import os"]))}
    text = draw(
        st.sampled_from(["", "\ufeff", f"# {draw(words)}{newline}", f'"""{newline}Doc ü.{newline}"""{newline}'])
    )
    for name, value in values.items():
        head = head.replace(f"{{{name}}}", value)
    arguments = draw(st.sampled_from(ARGUMENTS))
    for name, value in {"nl": newline, "a": f'"{"é" * draw(st.integers(0, 3))}"', "c": draw(words)}.items():
        arguments = arguments.replace(f"{{{name}}}", value)
    indented = draw(st.booleans())
    before = f"def made():{newline}    return " if indented else "defs = "
    end = draw(st.sampled_from(["", newline, f"  # {draw(words)}", f"{newline}{newline}x = 1{newline}"]))
    return f"{text}{head}{newline}{newline}{before}{call}({arguments}){end}"


@given(modules(), st.sampled_from(["in_process_executor", "multiprocess_executor"]))
@settings(max_examples=150, deadline=None)
def test_only_an_argument_and_an_import_are_added(text, executor):
    changed = with_executor(text, executor)

    rest = iter(changed)
    assert all(letter in rest for letter in text), "every letter of the file is there, in its order"
    added = len(changed) - len(text)
    assert added <= 2 * len(f"from dagster import {executor}") + 40, "and little else"
    tree = ast.parse(changed.encode())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given_now = [each for call in calls for each in call.keywords if each.arg == "executor"]
    assert [ast.unparse(each.value).rpartition(".")[2] for each in given_now] == [executor]
    bare = changed.count("\n") - changed.count("\r\n")
    assert bare == 0 or "\r\n" not in changed, "what is added has the line ends of the file"
    assert with_executor(changed, executor) == changed, "what it has is not put in twice"
    with pytest.raises(Unclear, match="executor already"):
        with_executor(changed, "another_executor")


@given(modules())
@settings(max_examples=60, deadline=None)
def test_what_was_changed_runs_with_the_executor(text):
    """By a stand-in for dagster: the file is executed."""
    import sys
    import types

    stand_in = types.ModuleType("dagster")
    stand_in.Definitions = lambda *args, **kwargs: kwargs
    stand_in.asset = stand_in.in_process_executor = object()
    real = sys.modules.get("dagster")
    sys.modules["dagster"] = stand_in
    try:
        space: dict[str, object] = {}
        exec(compile(with_executor(text, "in_process_executor").encode(), "changed.py", "exec"), space)  # noqa: S102
        made = space["defs"] if "defs" in space else space["made"]()
    finally:
        if real is None:
            del sys.modules["dagster"]
        else:
            sys.modules["dagster"] = real
    assert made["executor"] is stand_in.in_process_executor


IMPORT = "from dagster import Definitions\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("defs = Definitions()\n", "no calls"),
        (IMPORT + "a = Definitions()\nb = Definitions()\n", "2 calls"),
        (IMPORT + "a = Definitions(**given)\n", "not written there"),
        (IMPORT + "a = Definitions(*given)\n", "not written there"),
        (IMPORT + "a = Definitions(executor=mine)\n", "an executor already"),
        (IMPORT + "a = Definitions.merge(Definitions(), other)\n", "merges"),
        (IMPORT + "in_process_executor = 1\na = Definitions()\n", "another meaning"),
        (IMPORT + "def f(in_process_executor): ...\na = Definitions()\n", "another meaning"),
        (IMPORT + "from mine import in_process_executor\na = Definitions()\n", "another meaning"),
        (IMPORT + "from mine import *\na = Definitions()\n", "another meaning"),
        (IMPORT + "class Definitions: ...\na = Definitions()\n", "another meaning"),
        ("from dagster import Definitions; x = 1\na = Definitions()\n", "shares a line"),
        (IMPORT + "a = Definitions(x for x in y)\n", "not Python"),
        (IMPORT + "a = Definitions(1, 2, 3, 4, 5, 6)\n", "by their places"),
        ("# -*- coding: latin-1 -*-\n" + IMPORT + "a = Definitions()\n", "not written in UTF-8"),
        (IMPORT + "\x0ca = Definitions()\n", "control characters"),
        (IMPORT + "a = Definitions(\n", "not Python"),
        ("(" * 5000, "not Python"),
        ("\x00", "control characters"),
        ("from dagster import Definitions as D\nD()\n", "no calls"),
        ("from .dagster import Definitions\nDefinitions()\n", "no calls"),
    ],
)
def test_what_is_unclear_is_refused_with_its_reason(text, why):
    with pytest.raises(Unclear, match=why):
        with_executor(text, "in_process_executor")


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_whatever_a_file_holds_it_is_refused_or_changed_and_nothing_breaks(text):
    count_of_definitions(text)
    with pytest.raises(Unclear):
        with_executor(text, "in_process_executor")


def test_a_call_keeps_its_manner():
    text = "import dagster as dg\n\ndefs = dg.Definitions(\n    assets=[a],  # all\n    jobs=[b],  # some\n)\n"

    assert with_executor(text, "in_process_executor") == text.replace(
        "# some\n", "# some\n    executor=dg.in_process_executor,\n"
    )
