"""What came of a rehearsal: its times, its pictures, its words, and what it rests on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hybrid.cli.main import app
from hybrid.switch.downtime import Downtime
from hybrid.switch.finding import Finding, FindingKind, Weight
from hybrid.switch.inspection import Inspection
from hybrid.switch.journal import Event, Line
from hybrid.switch.rehearsal import Rehearsal, no_key, would_fail
from hybrid.switch.rehearsal_assumptions import assumptions
from hybrid.switch.rehearsal_html import html_of
from hybrid.switch.rehearsal_place import EmulatedServerless
from hybrid.switch.rehearsal_seed import Seeded
from hybrid.switch.rehearsal_text import headline, text_of
from hybrid.switch.rehearsal_timeline import Timeline, bars, timeline_of
from hybrid.workspace import Workspace
from tests.unit.switch.inspected import location, organization, repository

pytestmark = pytest.mark.unit

UNKNOWNS = Path(__file__).resolve().parents[3] / "docs" / "unknowns.md"
TITLES = {"serve": "tell Dagster+ the locations' images", "switch": "hand over"}


def lines(*events: tuple[float, str, Event, dict[str, Any]]) -> list[Line]:
    return [Line(1000 + at, step, event, facts) for at, step, event, facts in events]


WALKED = lines(
    (0, "claim", Event.BEGUN, {}),
    (1, "switch", Event.BEGUN, {}),
    (2, "switch", Event.BEGUN, {"switched_at": 1002.0}),
    (3, "switch", Event.DONE, {}),
    (3, "serve", Event.BEGUN, {}),
    (9, "serve", Event.DONE, {}),
    (20, "serve", Event.TAKING_BACK, {}),
    (20.01, "serve", Event.TAKEN_BACK, {}),
    (21, "switch", Event.TAKING_BACK, {}),
    (25, "switch", Event.TAKEN_BACK, {}),
)
DOWNTIME = Downtime(switched_at=1002.0, loaded_at=1009.0)


def rehearsal(**changes: Any) -> Rehearsal:
    made = Rehearsal(
        stack="prod",
        organization="acme",
        deployment="prod",
        is_serverless_again=True,
        seeded=Seeded(("alpha",), 2, 1, 3.0, ()),
        timeline=timeline_of(WALKED, DOWNTIME),
        downtime=DOWNTIME,
        checks=({"check": "agent type", "is_so": True, "words": "HYBRID"},),
        expected={"serve": (2.0, None)},
        titles=TITLES,
        differs=("The agent is local, not ecs.",),
        rests_on=assumptions(EmulatedServerless(0)),
        would_fail=("<script>alert(1)</script>: it has no image.",),
    )
    return replace(made, **changes)


def test_a_timeline_is_what_the_journal_says() -> None:
    found = timeline_of(WALKED, DOWNTIME)
    said = [(each.step, each.way, each.begin, each.end) for each in found.of("forth")]
    assert said == [("switch", "forth", 0, 2), ("serve", "forth", 2, 8)], "a fact noted on the way begins no step anew"
    assert [(each.step, round(each.seconds, 2)) for each in found.of("back")] == [("serve", 0.01), ("switch", 4.0)]
    assert found.gap == (1, 8), "from the hand-over to all loaded, on the scale of the steps"
    assert [each.step for each in found.drawn("back")] == ["switch"], "what had nothing to do is no bar"


def test_the_gap_begins_with_the_last_heartbeat_of_serverless() -> None:
    assert timeline_of(WALKED, replace(DOWNTIME, last_heartbeat=1006.0)).gap == (5, 8)
    assert timeline_of(WALKED, replace(DOWNTIME, last_heartbeat=1030.0)).gap is None, "one that stays leaves no gap"
    assert timeline_of(WALKED, None).gap is None
    assert timeline_of([], None) == Timeline((), None)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=20))
def test_bars_lie_in_their_width_and_follow_each_other(seconds: list[float]) -> None:
    at = 0.0
    told: list[tuple[float, str, Event, dict[str, Any]]] = []
    for number, each in enumerate(seconds):
        told.append((at, f"step{number}", Event.BEGUN, {}))
        at += each
        told.append((at, f"step{number}", Event.DONE, {}))
    drawn = bars(timeline_of(lines(*told), None), {}, "forth", width=30)
    assert len(drawn) == len(seconds)
    blocks = [re.search("▇+", each) for each in drawn]
    assert all(blocks), "also the shortest step is seen"
    starts = [each.start() for each in blocks if each]
    assert starts == sorted(starts)
    edge = drawn[0].index("▇") + 30
    assert all(each.end() <= edge for each in blocks if each)


def test_a_failed_step_is_told_and_nothing_holds_then() -> None:
    told = [*WALKED[:5], *lines((7, "serve", Event.FAILED, {"reason": "alpha did not load\nmore"}))]
    failed = rehearsal(timeline=timeline_of(told, None), downtime=None, checks=())
    assert not failed.holds
    assert headline(failed) == "The rehearsed switch failed at the step serve."
    assert "x" in bars(failed.timeline, {}, "forth")[-1].rpartition(" s ")[2]
    assert would_fail(None, [], told)[0] == "The step serve failed: alpha did not load"


def test_the_page_has_a_failures_first_line_and_no_traceback() -> None:
    told = [*WALKED[:5], *lines((7, "serve", Event.FAILED, {"reason": "alpha did not load\n  File /a/b.py"}))]
    text = html_of(rehearsal(timeline=timeline_of(told, None), downtime=None, checks=()))
    assert "alpha did not load" in text
    assert "/a/b.py" not in text, "a traceback in a cell leaves the other columns no room"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"is_serverless_again": False}, "way back"),
        ({"checks": ({"check": "a", "is_so": False, "words": "no"},)}, "1 of 1 checks"),
        ({"downtime": None}, "not come to its end"),
        ({"checks": ()}, "Rehearsed"),
    ],
)
def test_a_rehearsal_holds_only_there_verified_and_back(changes: dict[str, Any], word: str) -> None:
    assert rehearsal().holds
    assert not rehearsal(**changes).holds
    assert word in headline(rehearsal(**changes))


def test_what_the_real_switch_would_meet_is_what_no_rehearsal_here_shows() -> None:
    must = [
        Finding(FindingKind.PEX_BUILD, Weight.MUST, "quick/setup.py", "It is built as a PEX.", "", "quick"),
        Finding(FindingKind.STORED_VALUES, Weight.MUST, "prod", "2 assets are stored.", ""),
        Finding(FindingKind.SECRET, Weight.SHOULD, "secret A", "It is there.", ""),
    ]
    state = organization(locations=[location("alpha", {}), location("quick", {})])
    found = would_fail(Inspection("2026-11-30T00:00:00+00:00", state, repository(), must), ["alpha"], [])
    assert found == [
        "The stack does not serve quick: the first step refuses to go on.",
        "quick/setup.py: It is built as a PEX.",
    ], "values are copied by a step, and what only should change stops nothing"


def test_a_stack_without_a_key_to_its_secrets_is_told_of_though_a_rehearsal_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    real = Workspace(tmp_path)
    real.stack_files.mkdir()
    real.stack_file("prod").write_text("config: {}\n")
    assert "secrets" in no_key(real, "prod")[0], "the real `up` ends there, after the first step"
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
    assert no_key(real, "prod") == []
    assert no_key(real, None) == []


def test_every_assumption_is_a_question_of_the_page_on_unknowns() -> None:
    headings = {line.removeprefix("### ").removesuffix(" (live)").removesuffix(" (live, in part)")
                for line in UNKNOWNS.read_text().splitlines() if line.startswith("### ")}  # fmt: skip
    asked = {each.question for each in assumptions(EmulatedServerless())}
    assert asked <= headings, "a question that is not there cannot be settled"


def test_assumptions_say_what_was_chosen() -> None:
    said = json.dumps([each.document() for each in assumptions(EmulatedServerless(300, "hidden", True))])
    assert "300 s" in said
    assert "not at all (--hybrid-on-serverless)" in said
    assert "served (--values-after-switch)" in said


def test_the_page_loads_nothing_and_shows_the_gap() -> None:
    page = html_of(rehearsal())
    assert "<script" not in page, "a name of somebody's is a text"
    assert "no agent serves: 7.0 s" in page
    assert not re.search(r"(?:src|href)=", page)
    assert page.count("<svg") == 2
    assert "planned 2 to ?" in page


def test_the_text_has_the_bars_the_checks_and_what_it_rests_on() -> None:
    said = text_of(rehearsal())
    assert "hand over" in said
    assert "no agent serves" in said
    assert "✓ agent type: HYBRID" in said
    assert "docs/unknowns.md" in said


def test_the_document_has_numbers_for_machines() -> None:
    found = json.loads(json.dumps(rehearsal().document()))
    assert found["holds"] is True
    assert found["downtime"]["seconds"] == 7.0
    assert [each["step"] for each in found["steps"]] == ["switch", "serve", "serve", "switch"]
    assert found["steps"][1]["planned"] == [2.0, None]


@pytest.mark.parametrize(
    "arguments", [["--smoke", "alpha"], ["--html", "/no/such/folder/x.html"], ["--inspection", "/no/such/file"]]
)
def test_what_cannot_be_is_said_before_anything_is_made(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))
    said = CliRunner().invoke(app, ["switch", "rehearse", *arguments])
    assert said.exit_code != 0
    assert list(tmp_path.iterdir()) == [], "minutes would have gone by"
