"""What the stand-in for Pulumi's kubernetes plugin takes for a change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standins.kubernetes.changes import as_found, changed, replaces

pytestmark = pytest.mark.unit

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert list(changed(value, value)) == []


@given(st.dictionaries(st.text(min_size=1, max_size=3), JSON, max_size=4))
def test_what_was_applied_and_is_found_as_it_was_is_no_change(given_: dict[str, Any]) -> None:
    live = {**given_, "status": {"somebody": "else's"}}

    assert list(changed(given_, as_found(given_, live))) == []


def test_what_somebody_else_has_changed_shows() -> None:
    given_ = {"rules": [{"verbs": ["get"]}], "metadata": {"labels": {"a": "1"}}}
    live = {"rules": [{"verbs": ["*"]}], "metadata": {"labels": {"a": "2", "b": "3"}, "uid": "x"}}

    assert list(changed(given_, as_found(given_, live))) == ["metadata.labels.a", "rules[0].verbs[0]"]


@pytest.mark.parametrize(
    ("kind", "path", "settings", "anew"),
    [
        ("Deployment", "spec.selector.matchLabels.app", {}, True),
        ("Deployment", "spec.template.spec", {}, False),
        ("RoleBinding", "roleRef.name", {}, True),
        ("ConfigMap", "data.a", {}, True),
        ("ConfigMap", "data.a", {"enableConfigMapMutable": True}, False),
        ("Secret", "type", {"enableSecretMutable": "true"}, True),
        ("Service", "metadata.namespace", {}, True),
        ("Service", "metadata.labels.a", {}, False),
    ],
)
def test_what_cannot_be_changed_is_made_anew(kind: str, path: str, settings: dict[str, Any], anew: bool) -> None:
    assert (replaces(kind, [path], settings) == [path]) is anew
