"""A plan: bound to one state of one deployment, in the order of the walk, with what is missing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spec import SPECS
from hybrid.errors import UsageError
from hybrid.switch.finding import Finding, FindingKind, Weight
from hybrid.switch.fixes.catalogue import Fixes, fixes_for
from hybrid.switch.fixes.fix import Texts, Wishes
from hybrid.switch.fixes.secret_store import SecretsManager
from hybrid.switch.inspection import inspected
from hybrid.switch.plan import Plan, Span, StalePlanError, State, Strategy, Undo
from hybrid.switch.plan_text import plan_text, span_text
from hybrid.switch.planned_steps import Sizes, downtime, steps
from hybrid.switch.planning import StackFacts, plan_of
from hybrid.switch.platform_times import _TIMES, agent_seconds, times_on
from hybrid.switch.steps import steps_of
from tests.unit.switch.inspected import instigator, location, organization, repository, rights

pytestmark = pytest.mark.unit

STACK = StackFacts("prod", "ecs", ("docker", "quick"), "prepare", io_manager=True)
NOW = "2026-11-30T00:00:00+00:00"
NONE = Fixes((), ())


def made(stack=STACK, fixes=NONE, not_written=(), strategy=None, **changes):
    inspection = inspected(organization(**changes), None, taken_at=NOW)
    return plan_of(inspection, stack, fixes, not_written, made_at=NOW, strategy=strategy)


def state_of(plan, name):
    return next(each.state for each in plan.prerequisites if each.name == name)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_saved_plan_is_the_same_plan_again(tmp_path, strategy):
    inspection = inspected(organization(), repository(), taken_at=NOW)
    fixes = fixes_for(inspection.findings, Texts({}), Wishes("prod"))
    plan = plan_of(inspection, STACK, fixes, ["quick/Dockerfile"], made_at=NOW, strategy=strategy)
    (tmp_path / "plan.json").write_text(json.dumps(plan.document()))

    again = Plan.read(tmp_path / "plan.json")
    assert again == plan
    assert again.digest == plan.digest
    plan.refuse_unless_of(inspection.organization, stack="prod")


@pytest.mark.parametrize(
    "changes",
    [
        {"organization": "other"},
        {"deployment": replace(organization().deployment, name="staging")},
        {"url": "https://dagster.example"},
    ],
)
def test_a_plan_of_another_organization_or_deployment_is_refused(changes):
    with pytest.raises(UsageError, match="The plan is of the deployment prod of acme") as refused:
        made().refuse_unless_of(organization(**changes))
    assert not isinstance(refused.value, StalePlanError)


def test_a_plan_of_another_stack_is_refused():
    with pytest.raises(UsageError, match="of the stack prod, not of staging"):
        made().refuse_unless_of(organization(), stack="staging")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"deployment": replace(organization().deployment, agent_type="HYBRID")}, "agent type"),
        ({"locations": organization().locations[:1]}, "code location's document"),
        ({"variables": []}, "environment variable"),
        ({"instigators": [instigator("nightly", is_on=False)]}, "schedules and sensors"),
        ({"settings": {}}, "settings"),
        ({"non_isolated_runs": False}, "non-isolated runs"),
    ],
)
def test_a_plan_older_than_the_organization_s_state_is_refused_and_says_what_has_changed(changes, named):
    with pytest.raises(StalePlanError) as refused:
        made().refuse_unless_of(organization(**changes))
    assert named in refused.value.why


def test_what_changes_by_itself_makes_no_plan_stale():
    made().refuse_unless_of(organization(agents=[], runs=[], recent_non_isolated=[], backfills=[]))


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: document | {"fingerprint": "0" * 64},
        lambda document: document | {"organization": "other"},
        lambda document: document | {"steps": document["steps"][1:]},
        lambda document: document | {"schema": 2},
        lambda document: document | {"digest": None},
        lambda document: document | {"more": 1},
        lambda document: {key: value for key, value in document.items() if key != "downtime"},
        lambda document: [document],
        lambda document: None,
    ],
)
def test_a_plan_that_was_edited_is_none(edit):
    with pytest.raises(UsageError, match="no saved plan"):
        Plan.parse(edit(made().document()))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"null"])
def test_a_file_that_is_no_plan_is_refused(tmp_path, content):
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(UsageError, match="no saved plan"):
        Plan.read(tmp_path / "plan.json")
    with pytest.raises(UsageError, match="cannot be read"):
        Plan.read(tmp_path / "none.json")


BEFORE = ["preflight", "prepare", "agent", "copy_values", "gate"]
STILL = ["pause", "drain", "copy_rest", "verify_values", "documents"]
ORDER = {
    Strategy.AT_ONCE: [*BEFORE, *STILL, "switch", "serve", "loaded", "departure", "smoke", "resume"],
    Strategy.BY_QUEUE: [
        *BEFORE,
        *STILL,
        "move",
        "drain_rest",
        "switch",
        "serve",
        "loaded",
        "smoke",
        "resume",
        "departure",
    ],
}


@given(
    st.builds(
        Sizes,
        agent=st.sampled_from(["local", "docker", "ecs"]),
        locations=st.integers(0, 200),
        assets=st.integers(0, 10_000),
        assets_known=st.booleans(),
        instigators=st.integers(0, 500),
        runs=st.none() | st.integers(0, 50),
    ),
    st.sampled_from(Strategy),
)
def test_steps_have_their_order_words_and_times_whatever_the_size(sizes, strategy):
    planned = steps(sizes, strategy)
    names = [each.name for each in planned]

    assert names == ORDER[strategy]
    taking = "move" if strategy is Strategy.BY_QUEUE else "switch"
    assert names.index("verify_values") < names.index("documents") < names.index(taking), (
        "values and the way back first"
    )
    for step in planned:
        assert all((step.title, step.does, step.if_it_fails, step.how_undone))
        assert step.takes.high is None or 0 <= step.takes.low <= step.takes.high
    total = downtime(planned, strategy)
    assert total.high is not None
    if strategy is Strategy.BY_QUEUE:
        assert total.high == 0
    else:
        parts = [each.takes for each in planned if each.name in {"switch", "serve", "loaded", "departure"}]
        assert (total.low, total.high) == (sum(p.low for p in parts), sum(p.high for p in parts))


@pytest.mark.parametrize(
    ("plan", "wanted", "chosen"),
    [
        ("ENTERPRISE", None, Strategy.BY_QUEUE),
        ("TEAM_V2", None, Strategy.AT_ONCE),
        (None, None, Strategy.AT_ONCE),
        ("ENTERPRISE", Strategy.AT_ONCE, Strategy.AT_ONCE),
        (None, Strategy.BY_QUEUE, Strategy.BY_QUEUE),
    ],
)
def test_the_strategy_is_what_the_organization_can_do_and_why_is_said(plan, wanted, chosen):
    found = made(plan=plan, strategy=wanted)
    assert found.strategy is chosen
    assert found.why_strategy


def test_by_queue_without_queues_is_refused():
    with pytest.raises(UsageError, match="cannot switch by queue"):
        made(plan="SOLO", strategy=Strategy.BY_QUEUE)


def test_an_inspection_without_dagster_plus_makes_no_plan():
    with pytest.raises(UsageError, match="offline"):
        plan_of(inspected(None, repository(), taken_at=NOW), STACK, NONE, (), made_at=NOW)


def test_every_need_of_a_step_is_a_prerequisite_that_is_told():
    finding = Finding(FindingKind.DEFAULT_IO_MANAGER, Weight.MUST, "a:1", "", "", "quick", {"folder": "quick"})
    fixes = fixes_for([finding], Texts({}), Wishes("prod"))
    plan = made(fixes=fixes, strategy=Strategy.BY_QUEUE)
    told = {each.name for each in plan.prerequisites}
    assert {need for step in plan.steps for need in step.needs} <= told


def test_prerequisites_say_what_is_missing_and_what_to_do():
    plan = made(
        stack=replace(STACK, served=("quick",)),
        rights=rights(may_switch=False, may_launch_runs=None),
        locations=[*organization().locations, location("broken", {"location_name": "broken"}, status="FAILED")],
    )
    assert state_of(plan, "right_to_switch") is State.MISSING
    assert state_of(plan, "right_to_launch") is State.UNKNOWN
    assert state_of(plan, "right_to_edit_locations") is State.OK
    assert state_of(plan, "locations_served") is State.MISSING
    assert state_of(plan, "locations_load_now") is State.MISSING
    assert all(each.next_step for each in plan.missing)
    assert "broken, docker" in next(each.words for each in plan.missing if each.name == "locations_served")


def test_an_image_is_missing_until_its_dockerfile_is_written():
    finding = Finding(FindingKind.PEX_BUILD, Weight.MUST, "f:1", "", "", "quick", {"folder": "quick"})
    fixes = fixes_for([finding], Texts({"quick/requirements.txt": "dagster\n"}), Wishes("prod"))

    assert state_of(made(fixes=fixes, not_written=["quick/Dockerfile"]), "images") is State.MISSING
    assert state_of(made(fixes=fixes), "images") is State.OK


def test_the_text_has_what_is_missing_and_every_step_and_no_line_of_somebody_else_s_making():
    evil = "evil\x1b[2J\nSteps\n  1. forged"
    fixes = fixes_for([Finding(FindingKind.NOT_LOADED, Weight.MUST, evil, "", "", evil)], Texts({}), Wishes("prod"))
    plan = made(fixes=fixes, rights=rights(may_switch=False))
    text = plan_text(plan)

    assert "✗ The token may not change the agent type" in text
    assert all(f" {step.name}: " in text for step in plan.steps)
    assert "\x1b" not in text
    assert text.splitlines().count("Steps") == 1
    assert "Downtime: none" in text, "by queue"
    assert "Downtime" in plan_text(made(strategy=Strategy.AT_ONCE))


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (Span(3, 40), "3 s to 40 s"),
        (Span(5, None), "from 5 s, open"),
        (Span(0, 0), "none"),
        (Span(60, 600), "60 s to 10 min"),
        (Span(9000, 9000), "about 2.5 h"),
    ],
)
def test_times_are_said_as_people_say_them(span, text):
    assert span_text(span) == text


def test_no_secret_is_in_a_plan():
    token = "agent:acme:0123456789abcdef0123456789"
    finding = Finding(FindingKind.SECRET, Weight.MUST, f"secret {token}", "", "", None, {"name": token, "scopes": ""})
    fixes = fixes_for([finding], Texts({}), Wishes("prod", secret_store=SecretsManager("prod"), moves_secrets=True))
    plan = made(fixes=fixes)

    assert token not in json.dumps(plan.document())
    assert token not in plan_text(plan)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_the_plan_has_the_steps_of_the_walk_in_its_order(strategy):
    walked = [step.name for step in steps_of(strategy, None)]
    assert [step.name for step in made(strategy=strategy).steps] == walked


def test_undo_is_said_for_every_step():
    assert {each.undo for each in made(strategy=Strategy.AT_ONCE).steps} == set(Undo)


def test_an_agent_that_starts_anew_at_the_hand_over_makes_the_downtime_longer():
    folder = {"location_name": "quick", "code_source": {"module_name": "quick"}}
    from_folders = [location("quick", folder)]
    local = replace(STACK, agent="local", needs_images=False)
    quick = made(stack=local, strategy=Strategy.AT_ONCE, locations=from_folders).downtime
    anew = made(stack=local, strategy=Strategy.AT_ONCE).downtime
    assert anew.low > quick.low, "a PEX is on Serverless alone, so the local agent stands by"
    queued = made(stack=local, strategy=Strategy.BY_QUEUE).downtime
    assert (queued.low, queued.high) == (0, 0)


@pytest.mark.parametrize("kind", SPECS)
def test_a_plan_for_every_kind_of_agent_has_times_of_its_own_and_a_patience_that_fits(kind):
    times = times_on(kind)
    plan = made(replace(STACK, agent=kind), strategy=Strategy.AT_ONCE)
    stands = next(each for each in plan.steps if each.name == "loaded").takes
    assert stands.high is not None
    assert stands.high >= times.loads[1]
    assert agent_seconds(kind) >= times.heartbeat[1], "an agent that is still starting would be taken for hidden"
    assert kind in _TIMES, "it would be taken for the slowest"


def test_each_further_location_makes_the_downtime_longer_where_they_are_asked_for_one_after_the_other():
    names = ("orders", "rates", "reports")

    def downtime(kind, locations):
        found = [location(each, {"location_name": each, "image": "a-team/code:1"}) for each in locations]
        return made(replace(STACK, agent=kind), strategy=Strategy.AT_ONCE, locations=found).downtime

    for kind in SPECS:
        few, many = downtime(kind, names[:1]), downtime(kind, names)
        assert (many.low > few.low) is (kind == "azure"), f"{kind}: Azure's launcher alone waits for each app"
        assert (many.high > few.high) is (kind == "azure"), kind


def test_a_stack_without_a_place_for_values_is_named_before_the_walk_meets_it():
    assert state_of(made(), "values_place") is State.MISSING
    assert state_of(made(replace(STACK, values_place="s3://values/assets")), "values_place") is State.OK
