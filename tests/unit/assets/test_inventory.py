"""What is stored, from the event log alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.assets import histories
from hybrid.assets.inventory import Handling, StoredValue, catalog_of, gather, handled_by
from hybrid.plus.assets import RunOutput
from tests.unit.assets.made import DAYS, Log, event, node

pytestmark = pytest.mark.unit

A, B = ("a",), ("b",)


def gathered(log: Log):
    return {asset.key: asset for asset in gather(log, log.catalog, {one.key for one in log.catalog.known}).assets}


def test_the_io_manager_that_took_the_output_is_the_one_named_right_after_it() -> None:
    outputs = [
        RunOutput("s", asset=A), RunOutput("s", manager="files"),
        RunOutput("s", asset=B), RunOutput("s", manager="other"),
    ]  # fmt: skip
    assert handled_by(outputs, A, "s") == Handling(True, "files")
    assert handled_by(outputs, B, "s") == Handling(True, "other"), "several assets of one step have each its own"


def test_an_output_that_no_io_manager_took_is_told_from_one_that_is_not_in_the_log() -> None:
    outputs = [RunOutput("s", asset=A), RunOutput("s", asset=B), RunOutput("s", manager="files")]
    assert handled_by(outputs, A, "s") == Handling(True, None), "the manager after it is the other asset's"
    assert handled_by(outputs, ("c",), "s") == Handling(known=False)
    assert handled_by([RunOutput("t", manager="x"), *outputs[:1]], A, "s") == Handling(True, None)


def test_events_of_other_steps_between_do_not_confuse() -> None:
    outputs = [RunOutput("s", asset=A), RunOutput("t", manager="theirs"), RunOutput("s", manager="ours")]
    assert handled_by(outputs, A, "s") == Handling(True, "ours"), "steps of a run are at work at the same time"


def test_the_last_of_several_materializations_counts() -> None:
    outputs = [
        RunOutput("s", asset=A),
        RunOutput("s", manager="old"),
        RunOutput("s", asset=A),
        RunOutput("s", manager="new"),
    ]
    assert handled_by(outputs, A, "s").manager == "new"


def test_a_plain_asset_has_its_latest_value_with_the_events_name() -> None:
    log = Log([node("a")], events={A: [event("r1", 10), event("r2", 20, path="a")]})
    log.outputs["r2"] = [RunOutput("step", asset=A), RunOutput("step", manager="io_manager")]
    [asset] = gathered(log).values()
    assert asset.values == (StoredValue(None, "20 r2", "a"),)
    assert asset.handling == Handling(True, "io_manager")
    assert log.asked["outputs"] == 1, "one look at one run"


def test_one_run_that_made_many_assets_is_looked_at_once() -> None:
    nodes = [node(f"a{number}") for number in range(500)]
    log = Log(nodes, events={one.key: [event("r", 1)] for one in nodes}, outputs={"r": []})
    gathered(log)
    assert log.asked["outputs"] == 1
    assert log.asked["bulk"] <= 3, "one event of many assets is one question"


def test_a_run_that_is_gone_leaves_the_handling_unknown() -> None:
    log = Log([node("a")], events={A: [event("r", 1)]})
    assert gathered(log)[A].handling == Handling(known=False)


def test_a_value_that_somebody_reported_was_handled_by_nobody() -> None:
    log = Log([node("a")], events={A: [event("", 1, step=None)]})
    assert gathered(log)[A].handling == Handling(True, None)
    assert "outputs" not in log.asked


def test_each_partition_has_its_latest_event_and_those_outside_the_definition_are_marked() -> None:
    events = [event("r1", 1, DAYS[0]), event("r2", 2, DAYS[0]), event("r3", 3, "1999-01-01")]
    asset = gathered(Log([node("a", days=DAYS)], events={A: events}))[A]
    assert {value.partition: (value.hint, value.outside) for value in asset.values} == {
        DAYS[0]: ("2 r2", False),
        "1999-01-01": ("3 r3", True),
    }
    assert asset.partitions == 3


def test_what_an_asset_had_before_it_was_partitioned_is_gone_with_the_first_partition() -> None:
    log = Log([node("a", days=DAYS)], events={A: [event("r1", 1), event("r2", 2, DAYS[0])]})
    assert [value.partition for value in gathered(log)[A].values] == [DAYS[0]]
    log.events[A] = [event("r1", 1, DAYS[0]), event("r2", 2)]
    assert {value.partition for value in gathered(log)[A].values} == {None, DAYS[0]}, "the whole was stored last"


def test_an_asset_that_is_only_in_the_log_is_found_with_its_partitions() -> None:
    log = Log(
        gone=[A, B], events={A: [event("r", n, f"p{n}") for n in range(150)], B: [event("r", n) for n in range(5000)]}
    )
    found = gathered(log)
    assert len(found[A].values) == 150
    assert found[A].node is None
    assert not any(value.outside for value in found[A].values), "nobody knows what its definition was"
    assert len(found[B].values) == 1
    assert log.asked["history"] <= 4, "a plain asset's first page tells all"


def test_an_asset_stored_more_often_than_is_looked_through_still_has_all_its_partitions() -> None:
    partitions = [f"p{number:05}" for number in range(3000)]
    early = [event("early", number, partition) for number, partition in enumerate(partitions)]
    late = [event(f"late{number}", 10_000 + number, partitions[0]) for number in range(11_000)]
    log = Log([node("a", days=partitions)], events={A: early + late})
    asset = gathered(log)[A]
    assert len(asset.values) == 3000, "each partition was asked for by name"
    assert asset.cut, "and what is outside of the definition may be missing, which is said"


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["x", "y", "z", "gone"])), max_size=60), st.integers(1, 4)
)
def test_no_partition_is_lost_between_pages_however_events_share_a_millisecond(events, page) -> None:
    made = [event(f"r{number}", timestamp, partition) for number, (timestamp, partition) in enumerate(events)]
    expected = {partition: max(t for t, own in events if own == partition) for _, partition in events}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histories, "_FIRST", page)
        patch.setattr(histories, "_PAGE", page)
        asset = gathered(Log([node("a", days=["x", "y", "z"])], events={A: made}))[A]
    found = {value.partition: int(value.hint.split()[0]) for value in asset.values}
    missing = set(expected) - set(found)
    assert missing <= {"gone"}, "what code defines is always found"
    assert not missing or asset.cut, "what may be missing is said"
    assert all(found[partition] == expected[partition] for partition in found)


def test_a_reported_event_of_several_dimensions_is_taken_apart_by_the_dimensions_names() -> None:
    both = node("a", is_partitioned=True, dimensions=(("date", DAYS), ("colour", ("blue",))))
    asset = gathered(Log([both], events={A: [event("r", 1, f"blue|{DAYS[0]}", step=None)]}))[A]
    [value] = asset.values
    assert value.dimensions == (("colour", "blue"), ("date", DAYS[0]))
    assert not value.outside
    assert asset.partitions == 3


def test_defined_partitions_are_written_as_dagster_writes_them() -> None:
    both = node("a", is_partitioned=True, dimensions=(("date", DAYS[:2]), ("colour", ("blue", "green"))))
    assert histories.defined_partitions(both) == [
        "blue|2024-01-01", "blue|2024-01-02", "green|2024-01-01", "green|2024-01-02",
    ]  # fmt: skip


def test_a_thousand_assets_and_ten_thousand_partitions_take_few_questions() -> None:
    days = [f"d{number}" for number in range(20)]
    nodes = [node(f"p{n}", days=days) for n in range(500)] + [node(f"a{n}") for n in range(500)]
    events = {one.key: [event("r", n, d) for n, d in enumerate(days)] for one in nodes[:500]}
    events |= {one.key: [event("r", 1)] for one in nodes[500:]}
    log = Log(nodes, events=events, outputs={"r": []})
    heard: list[tuple[str, int, int]] = []
    catalog = catalog_of(log, lambda *said: heard.append(said))
    found = gather(log, catalog, {one.key for one in nodes})
    assert sum(len(asset.values) for asset in found.assets) == 10_500
    assert sum(log.asked.values()) < 60, f"each question is a round trip: {log.asked}"
    assert heard[-1][1:] == (20, 20), "progress reaches its end"


def test_an_error_of_one_question_is_the_error_of_all() -> None:
    class Refusing(Log):
        def run_outputs(self, run_id):
            raise PermissionError(run_id)

    with pytest.raises(PermissionError):
        gathered(Refusing([node("a")], events={A: [event("r", 1)]}))
