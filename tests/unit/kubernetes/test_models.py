"""Keys of Kubernetes, held against the official client's models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hybrid.kubernetes.models import named_by_client, problem_of

pytestmark = pytest.mark.unit

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda below: some.lists(below, max_size=3) | some.dictionaries(some.text(max_size=8), below, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("model", "said", "words"),
    [
        ("V1Container", {"resources": {"limitz": {}}}, "`resources` has no key `limitz`"),
        ("V1PodSpec", {"tolerations": [{}, {"kay": "x"}]}, "`tolerations[1]` has no key `kay`"),
        ("V1PodSpec", {"tolerations": {}}, "`tolerations` must be a list"),
        ("V1PodSpec", {"hostNetwork": "yes"}, "`hostNetwork` must be true or false"),
        ("V1ObjectMeta", {"annotations": {"a": True}}, "put it in quotes"),
        ("V1ObjectMeta", {"annotations": []}, "must be a mapping"),
        ("list[V1Volume]", [{"name": "x", "configmap": {}}], "`[0]` has no key `configmap`"),
        ("V1PodSpec", "x", "it must be a mapping"),
    ],
)
def test_a_wrong_key_or_kind_is_named_with_its_place(model: str, said: object, words: str) -> None:
    assert words in (problem_of(model, said) or "")


def test_both_manners_of_writing_are_known() -> None:
    for said in ({"nodeSelector": {"a": "b"}}, {"node_selector": {"a": "b"}}):
        assert problem_of("V1PodSpec", said) is None
    quantities = {"resources": {"limits": {"cpu": 2, "memory": "1Gi"}}}
    assert problem_of("V1Container", quantities) is None, "people write numbers for quantities"
    assert named_by_client("V1PodSpec", {"nodeSelector": {"aB": "c"}, "other": 1}) == {
        "node_selector": {"aB": "c"},
        "other": 1,
    }, "labels are not keys of Kubernetes'"


@given(JSON)
def test_whatever_is_said_gives_a_sentence_or_nothing(said: object) -> None:
    for model in ("V1PodSpec", "V1Container", "list[V1Toleration]", "V1ObjectMeta"):
        problem = problem_of(model, said)
        assert problem is None or problem


def test_what_is_nested_without_end_is_refused() -> None:
    said: dict[str, object] = {}
    for _ in range(40):
        said = {"not": said, "properties": {"a": said}}
    assert problem_of("V1JSONSchemaProps", said) is not None
