"""Faults of Dagster+ at each place of a switch, by both strategies: it ends on one side, and no secret is anywhere."""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hybrid.cli.console import note, show_error
from hybrid.cli.switch_table import StepTable
from hybrid.errors import EngineError, HybridError, RunFailedError
from hybrid.plus import PlusForbidden, PlusMaintenance, PlusRejected, PlusUnauthorized, PlusUnreachable
from hybrid.redaction import Token
from hybrid.switch.choices import Choices, PlanGiven
from hybrid.switch.fixes.catalogue import fixes_for
from hybrid.switch.fixes.fix import Texts, Wishes
from hybrid.switch.inspection import inspected
from hybrid.switch.inspection_html import html_of
from hybrid.switch.inspection_text import text_of
from hybrid.switch.plan import Strategy
from hybrid.switch.plan_text import plan_text
from hybrid.switch.planning import StackFacts, plan_of
from hybrid.switch.run import standing_of
from hybrid.switch.steps import STEPS, kinds_of
from tests.unit.switch.inspected import PEX, location, organization, repository
from tests.unit.switch.mortal import FAST, Mortals, back, backward, go, onward, switching
from tests.unit.switch.world import World

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_disk")]

CHOICES = {each: replace(FAST, strategy=each) for each in Strategy}
FAULTS = {
    "429": PlusUnreachable("Dagster+ asks to slow down (HTTP 429).", reason="busy"),
    "503": PlusUnreachable("Dagster+ is overloaded (HTTP 503).", reason="busy"),
    "maintenance": PlusMaintenance("Dagster+ is in maintenance."),
    "time-out": PlusUnreachable("No answer within 60 s.", reason="timeout"),
    "dropped after": ("after", PlusUnreachable("The connection was closed.", reason="closed")),
    "rights lost": PlusForbidden("It may not."),
    "token revoked": PlusUnauthorized("The token is not accepted."),
    "rejected": PlusRejected("Not now."),
}
METHODS = ("agent_type", "agents", "locations", "up", "pause", "resume", "put_document", "set_agent_type", "gate",
           "keep_documents", "drain", "copy_values", "make_marker", "remove_marker")  # fmt: skip


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("name", FAULTS)
def test_after_a_fault_at_any_place_it_goes_on_or_back(tmp_path: Path, name: str, strategy: Strategy) -> None:
    choices = CHOICES[strategy]
    for method in METHODS:
        for way in (onward, backward):
            folder = tmp_path / f"{method}-{way.__name__}"
            folder.mkdir()
            world = World(folder, faults={method: [FAULTS[name]]})
            with contextlib.suppress(HybridError):
                go(world, choices)
            world.faults.clear()
            way(world, choices)
            world.is_hybrid() if way is onward else world.is_serverless()


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("name", FAULTS)
def test_after_a_fault_on_the_way_back_it_comes_back_all_the_same(
    tmp_path: Path, name: str, strategy: Strategy
) -> None:
    choices = CHOICES[strategy]
    for method in METHODS:
        folder = tmp_path / method
        folder.mkdir()
        world = World(folder)
        go(world, choices)
        world.faults = {method: [FAULTS[name]]}
        with contextlib.suppress(HybridError):
            switching(world, choices).back()
        world.faults.clear()
        backward(world, choices)
        world.is_serverless()


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_hybrid_agent_that_never_comes_leaves_a_way_back(tmp_path: Path, strategy: Strategy) -> None:
    world = World(tmp_path, agent_comes=False)
    with pytest.raises(HybridError):
        go(world, CHOICES[strategy])
    back(world, CHOICES[strategy])
    world.is_serverless()


def test_what_serverless_runs_is_kept_right_before_the_hand_over() -> None:
    names = [kind.name for kind in STEPS]
    assert names.index("documents") + 1 == names.index("switch"), "who deploys in between would lose it on the way back"
    assert all("documents" in [each.name for each in kinds_of(strategy)] for strategy in Strategy)


def secret() -> str:
    return f"agent:acme:{secrets.token_hex(16)}"


def test_no_secret_is_in_inspection_or_plan_whatever_form_they_have() -> None:
    hidden = {name: secret() for name in ("document", "error", "setting", "context")}
    document = {
        **PEX,
        "env": [f"API_TOKEN={hidden['document']}"],
        "container_context": {"ecs": {"env_vars": [f"PASSWORD={hidden['context']}"]}},
    }
    state = organization(
        locations=[location("quick", document, status="FAILED", error=f"KeyError: token {hidden['error']}")],
        settings={"sso": {"client_secret": hidden["setting"]}},
    )
    inspection = inspected(state, repository(), taken_at="2026-11-30T00:00:00+00:00")
    fixes = fixes_for(inspection.findings, Texts({}), Wishes("prod"))
    facts = StackFacts("prod", "ecs", ("quick",), "prepare", io_manager=True)
    for strategy in Strategy:
        plan = plan_of(inspection, facts, fixes, (), made_at="2026-11-30T00:00:00+00:00", strategy=strategy)
        shown = (json.dumps(plan.document()), plan_text(plan), html_of(inspection), text_of(inspection))
        for text in (*shown, json.dumps(inspection.document())):
            assert "quick" in text, "else this is not the text that people see"
            assert not [name for name, value in hidden.items() if value in text or value[-32:] in text]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("strategy", list(Strategy))
def test_no_secret_is_in_journal_or_terminal_whatever_fails(
    tmp_path: Path, strategy: Strategy, terminal: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    hidden = [secret() for _ in range(4)]
    value = Token(f"postgres-{secrets.token_hex(8)}").reveal()
    # what Dagster+, an engine or user code may put into an error
    errors: dict[str, list[Any]] = {
        "gate": [EngineError(f"token {hidden[0]} was refused", why=f"at https://u:{value}@host/")],
        "up": [EngineError("`up` failed.", why=f"{{'Authorization': '{hidden[1]}'}}")],
        "smoke": [RunFailedError("The run failed.", why=f"psycopg: password={value} of {hidden[2]}")],
        "resume": [PlusRejected(f"No: {hidden[3]}")],
    }
    world = World(tmp_path, faults=errors, variables={"DB_URL": ("v1", value)}, own_variables={"DB_URL": "hybrid"})
    shown: list[str] = []
    plan = PlanGiven("acme", "prod", world.plan_fingerprint, "d")
    choices: Choices = replace(CHOICES[strategy], plan=plan)
    console = Console(stderr=True, force_terminal=terminal, width=120)
    for _ in range(8):
        titles = [(kind.name, kind.title) for kind in kinds_of(strategy)]
        with StepTable(console, titles) as table:
            walk = Mortals(world, world.folder / "switch.jsonl", choices, note, table)
            try:
                journal = walk.forward(resume=(world.folder / "switch.jsonl").exists())
            except HybridError as error:
                show_error(error)
            else:
                shown.append(json.dumps(standing_of(journal.lines)))
                break
    world.is_hybrid()
    assert errors == {"gate": [], "up": [], "smoke": [], "resume": []}, "each was met, else this shows little"
    switching(world, choices).back()
    world.is_serverless()
    out, err = capfd.readouterr()
    assert "was refused" in err, "the error was told"
    for text in (out, err, (tmp_path / "switch.jsonl").read_text(), *shown):
        assert not [each for each in (*hidden, value) if each in text or each[-32:] in text]
    for name in ("documents.json", "variables.json"):  # these are the way back, word for word
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
