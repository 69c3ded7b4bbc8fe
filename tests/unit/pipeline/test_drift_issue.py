"""The issue about drift: what it says, that it fits, and that nothing of anybody's words leaves its place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import EngineError
from hybrid.pipeline.drift import Difference, Drift, Problem, StackDrift
from hybrid.pipeline.drift_issue import LONGEST, body, closing_words, marker, title
from hybrid.redaction import MASK

pytestmark = pytest.mark.unit

SHA = "a" * 40


def stack(name: str = "prod", **parts: object) -> StackDrift:
    return StackDrift(name, **{"stands": True, **parts})  # type: ignore[arg-type]


def drift(*stacks: StackDrift) -> Drift:
    return Drift("main", SHA, stacks)


GONE = Difference("CodeLocation hello-location", "delete")
DIFFERS = Difference("Bucket data", "update", ("tags.team",))
NEW = Difference("Repository hello-images", "create")


def test_it_tells_by_hand_from_not_deployed_and_what_to_do() -> None:
    text = body(drift(stack(by_hand=(GONE, DIFFERS), not_deployed=(NEW,), not_ready=("No agent is RUNNING.",))))
    assert "<code>CodeLocation hello-location</code> is gone" in text
    assert "<code>Bucket data</code> differs (<code>tags.team</code>)" in text
    assert text.index("Changed by hand") < text.index("Not ready") < text.index("Not deployed yet")
    assert "create <code>Repository hello-images</code>" in text
    assert "hybrid up prod" in text, "the way back"


def test_a_stack_without_drift_is_in_the_table_alone() -> None:
    text = body(drift(stack(by_hand=(GONE,)), stack("staging")))
    assert "| <code>staging</code> | - | - | - | - |" in text
    assert text.count("<details>") == 1


def test_what_could_not_be_looked_at_is_said() -> None:
    problem = Problem("resources", EngineError("Refresh failed.", why="AccessDenied: ecs:DescribeServices"))
    found = drift(stack(problems=[problem]))
    assert "AccessDenied" in body(found)
    assert "could not be looked at whole" in body(found)
    assert title(found) == "Drift cannot be looked for in prod"
    assert "No drift" not in title(found), "an outage is not the absence of drift"


def test_the_title_names_those_that_differ() -> None:
    assert title(drift(stack(by_hand=(GONE,)), stack("staging"), stack("dev", stands=False))) == "Drift in prod, dev"


def test_an_issue_about_chosen_stacks_is_another_issue() -> None:
    assert marker() == "<!-- hybrid-drift -->"
    assert marker(["prod", "dev"]) == marker(["dev", "prod"]) == "<!-- hybrid-drift:dev.prod -->"
    assert not marker(["prod"]).startswith(marker()), "forges find an issue by its beginning"


def test_secrets_are_masked() -> None:
    token = "agent:acme:" + "q" * 32
    problem = Problem("resources", EngineError(f"refused for {token}"))
    text = body(drift(stack(problems=[problem], not_ready=(f"failed with {token}",))))
    assert token not in text
    assert MASK in text or "redacted" in text


def test_words_of_others_stay_words() -> None:
    hostile = "x</code></details> @everyone [a](http://evil) `b` | c\n# Heading <img src=x>"
    text = body(
        drift(stack(by_hand=(Difference(hostile, "update", (hostile,)),), not_ready=(hostile,),
                    problems=[Problem("resources", EngineError("```\n" + hostile))]))
    )  # fmt: skip
    assert "<img" not in re.sub(r"(?s)````.*?````", "", text)
    assert "\n# Heading" not in re.sub(r"(?s)````.*?````", "", text)
    assert text.count("</details>") - len(re.findall(r"(?s)````.*?</details>.*?````", text)) == 1
    assert "[a](http" not in re.sub(r"(?s)````.*?````", "", text)


@pytest.mark.parametrize("count", [1, 300, 5000])
def test_it_fits_and_says_what_is_left_out(count: int) -> None:
    many = tuple(Difference(f"Bucket {'long-name-' * 12}{number}", "update", ("tags",)) for number in range(count))
    text = body(drift(stack(by_hand=many), stack("staging", not_deployed=many)))
    assert len(text) + len(marker()) + 1 <= LONGEST, "a forge refuses more"
    if count > 200:
        left = [int(found) for found in re.findall(r"_(\d+) more", text)]
        shown = text.count("long-name-long-name") // 1
        assert left, "a cut is said"
        assert len(re.findall(r"Bucket long-name", text)) + sum(left) == 2 * count, f"all are accounted for ({shown})"
    assert text.rstrip().endswith("when there is no drift any more."), "the end is never what is cut"


def test_a_hundred_stacks_with_long_errors_fit() -> None:
    stacks = [stack(f"s{number}", problems=[Problem("resources", EngineError("x" * 5000))]) for number in range(100)]
    text = body(drift(*stacks))
    assert len(text.encode()) <= LONGEST - 40
    assert "more stacks are left out here" in text


def test_the_last_word_says_where_there_is_none() -> None:
    assert closing_words(drift(stack())).startswith("No drift any more in <code>prod</code>")


TEXTS = st.text(max_size=60)


@settings(max_examples=60)
@given(resources=st.lists(TEXTS, max_size=8), sentences=st.lists(TEXTS, max_size=4), why=TEXTS)
def test_whatever_things_are_called_the_issue_has_its_parts(
    resources: list[str], sentences: list[str], why: str
) -> None:
    changed = tuple(Difference(each, "update", (each,)) for each in resources)
    found = drift(stack(by_hand=changed, not_ready=tuple(sentences), problems=[Problem("program", EngineError(why))]))
    text = body(found)
    assert text.count("<details>") == 1
    assert text.startswith("### ")
