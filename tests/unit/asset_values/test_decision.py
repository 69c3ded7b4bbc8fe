"""What to do with one value, from what is known of both ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asset_values.decision import UNSEEN, Decision, Unseen, Verb, decide, is_newer
from asset_values.model import Condition, Entry, Item
from asset_values.row import Row, State

pytestmark = pytest.mark.unit

A, B, C = "a" * 32, "b" * 32, "c" * 32
ITEM = Item("asset", None, "s", "d")


def source(version: str = A, modified: float = 100, size: int = 1, sha256: str | None = None) -> Entry:
    return Entry("s", size, version, modified, sha256)


def there(
    version: str = B, modified: float = 50, size: int = 1, sha256: str | None = None, copied_from: str | None = None
) -> Entry:
    return Entry("d", size, version, modified, sha256, copied_from)


def row(
    state: State = State.PLANNED,
    version: str | None = None,
    left: str | None = None,
    ours: bool = False,
    at: float = 100,
) -> Row:
    return Row(
        1, ITEM, state, True, source_version=version, source_modified=at, destination_version=left, ours=ours
    )  # fmt: skip


COPIED = row(State.COPIED, A, B, ours=True)
KEPT = row(State.KEPT, A, C)
WRITE_FRESH = Decision(Verb.WRITE, Condition())
OVER_B = Decision(Verb.WRITE, Condition(B))
SKIP, LOOK, COMPARE, KEEP = (Decision(verb) for verb in (Verb.SKIP, Verb.LOOK, Verb.COMPARE, Verb.KEEP))


@pytest.mark.parametrize(
    ("why", "known", "read", "found", "told", "expected"),
    [
        ("never copied: written where nothing lies", row(), source(), UNSEEN, {}, WRITE_FRESH),
        ("nothing there", row(), source(), None, {}, WRITE_FRESH),
        ("done and unchanged needs no request", COPIED, source(), UNSEEN, {}, SKIP),
        ("told to ask again, it is looked at", COPIED, source(), UNSEEN, {"again": True}, LOOK),
        ("gone at the destination, asked again", COPIED, source(), None, {"again": True}, WRITE_FRESH),
        ("as we left it", COPIED, source(), there(B, 200), {"again": True}, SKIP),
        ("a newer source is not written blindly", COPIED, source(C, 200), UNSEEN, {}, LOOK),
        ("our copy by its note", COPIED, source(C, 200), there(B, 150, copied_from=A), {}, OVER_B),
        ("ours by its note, the source's clock being behind", COPIED, source(C, 1), there(copied_from=A), {}, OVER_B),
        ("a kill before it was recorded", row(), source(), there(B, 150, copied_from=A), {},
         Decision(Verb.SAME, None, True)),
        ("a truncated copy of ours", row(), source(), there(B, 150, size=0, copied_from=A), {}, OVER_B),
        ("same bytes written by somebody later", COPIED, source(C, 120), there(B, 150, 2), {}, KEEP),
        ("a folder's version tells that it is ours", row(State.COPIED, A, "9-1", True), source(C, 120),
         there("9-1", 150, 2), {}, Decision(Verb.WRITE, Condition("9-1"))),
        ("found the same, so never ours", row(State.SAME, A, "9-1"), source(C, 120), there("9-1", 150, 2), {}, KEEP),
        ("foreign and older", row(), source(), there(B, 50, 2), {}, OVER_B),
        ("foreign and newer", row(), source(), there(B, 150, 2), {}, KEEP),
        ("foreign and newer, but told to", row(), source(), there(B, 150, 2), {"overwrite_newer": True}, OVER_B),
        ("foreign at the same second", row(), source(A, 100.7), there(B, 100, 2), {}, KEEP),
        ("foreign, perhaps the same bytes", row(), source(), there(B, 50), {}, COMPARE),
        ("compared: other bytes, newer", row(), source(), there(B, 150), {"identical": False}, KEEP),
        ("compared: the same bytes, newer", row(), source(), there(B, 150), {"identical": True}, Decision(Verb.SAME)),
        ("the same MD5", row(), source(), there(A, 150), {}, Decision(Verb.SAME)),
        ("ETags of parts are no MD5", row(), source(A + "-2"), there(A + "-2", 150), {}, COMPARE),
        ("both SHA-256 known, and other", row(), source(sha256="1"), there(B, 150, sha256="2"), {}, KEEP),
        ("both of no bytes", row(), source(size=0), there(B, 150, 0), {}, Decision(Verb.SAME)),
        ("kept once and nothing changed", KEPT, source(), there(C, 150, 2), {"again": True}, SKIP),
        ("kept once, now told to overwrite", KEPT, source(), there(C, 150, 2), {"overwrite_newer": True},
         Decision(Verb.WRITE, Condition(C))),
        ("kept once, the source stored again since", KEPT, source(B, 300), there(C, 150, 2), {},
         Decision(Verb.WRITE, Condition(C))),
        ("the same bytes stored anew are a newer value", row(State.KEPT, A, C), source(A, 300), there(C, 150, 2), {},
         Decision(Verb.WRITE, Condition(C))),
        ("a failure after a copy knows what we left", row(State.FAILED, A, B, True), source(C, 200), UNSEEN, {}, LOOK),
    ],
)  # fmt: skip
def test_each_case_is_decided_as_the_table_says(
    why: str, known: Row, read: Entry, found: Entry | Unseen | None, told: dict[str, bool], expected: Decision
) -> None:
    assert decide(known, read, found, **told) == expected, why


versions = st.sampled_from([A, B, C, "7-1", "8-1"])
times = st.sampled_from([10.0, 10.5, 11.0, 12.0, 50.0])
entries = st.builds(
    Entry,
    st.just("k"),
    st.integers(0, 2),
    versions,
    times,
    st.sampled_from([None, "1", "2"]),
    st.sampled_from([None, A, B, "7-1"]),
)
rows = st.builds(
    row, st.sampled_from(list(State)), st.none() | versions, st.none() | versions, ours=st.booleans(), at=times
)


@given(rows, entries, entries, st.sampled_from([None, True, False]), st.booleans())
def test_what_may_be_newer_and_is_not_known_to_be_ours_is_never_overwritten(
    known: Row, read: Entry, found: Entry, identical: bool | None, again: bool
) -> None:
    foreign = found.copied_from is None and (found.version != known.destination_version or not known.ours)
    decision = decide(known, read, found, identical=identical, again=again)
    if foreign and is_newer(found, read):
        assert decision.verb is not Verb.WRITE


@given(rows, entries, entries | st.none() | st.just(UNSEEN), st.booleans(), st.booleans())
def test_a_write_always_names_what_it_replaces_and_a_comparison_ends_in_a_decision(
    known: Row, read: Entry, found: Entry | Unseen | None, overwrite: bool, again: bool
) -> None:
    decision = decide(known, read, found, overwrite_newer=overwrite, again=again)
    if decision.verb is Verb.WRITE:
        expected = found.version if isinstance(found, Entry) else None
        assert decision.condition == Condition(expected)
    else:
        assert decision.condition is None
    if decision.verb is Verb.COMPARE:
        decided = decide(known, read, found, identical=False, overwrite_newer=overwrite, again=again)
        assert decided.verb in (Verb.WRITE, Verb.KEEP)
    assert isinstance(found, Unseen) or decision.verb is not Verb.LOOK, "it was looked at already"
