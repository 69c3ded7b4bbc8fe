"""What a selection in Dagster's words selects among what Dagster+ knows."""

from __future__ import annotations

import pytest

from hybrid.assets.inventory import Catalog
from hybrid.assets.selection import selected
from hybrid.errors import UsageError
from hybrid.plus.assets import KnownAsset
from tests.unit.assets.made import node

pytestmark = pytest.mark.unit

NODES = (
    node("a", group="sales", tags={"dagster/kind/dbt": "", "tier": "1"}, location="loc one"),
    node("raw", "b", dependencies=(("a",),), owners=("team:core",)),
    node("c", dependencies=(("raw", "b"), ("not", "there"))),
)
CATALOG = Catalog((*(KnownAsset(one.key, True) for one in NODES), KnownAsset(("old",), False)), NODES)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (None, {"a", "raw/b", "c", "old"}),
        ("*", {"a", "raw/b", "c", "old"}),
        ('key:"raw/*"', {"raw/b"}),
        ("group:sales", {"a"}),
        ("kind:dbt", {"a"}),
        ("tag:tier=1", {"a"}),
        ('owner:"team:core"', {"raw/b"}),
        ('+key:"c"', {"a", "raw/b", "c"}),
        ('key:"a"+', {"a", "raw/b", "c"}),
        ('key:"a"+1', {"a", "raw/b"}),
        ("not key:a and not key:old", {"raw/b", "c"}),
        ('code_location:"loc one"', {"a"}),
        ("key:old", {"old"}),
    ],
)
def test_a_selection_means_what_it_means_in_dagster(text: str | None, keys: set[str]) -> None:
    assert {"/".join(key) for key in selected(CATALOG, text)} == keys


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("key:", "no selection"),
        ('status:"failed"', "no selection"),
        ("oldd", "Similar ones are: old"),
        ('key:"zzz"', "selects nothing"),
        ("code_location:nowhere", "selects nothing"),
    ],
)
def test_what_selects_nothing_or_cannot_be_read_says_so(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        selected(CATALOG, text)
    assert refused.value.next_step, "and shows how it is written"


def test_tags_that_this_dagster_refuses_do_not_stop_a_selection_by_key() -> None:
    odd = node("odd", tags={"a key with ! in it": "x"}, owners=("nobody",))
    catalog = Catalog((KnownAsset(odd.key, True),), (odd,))
    assert selected(catalog, "key:odd") == {("odd",)}
