"""The calls that look at a deployment before it is switched: the request of each, and what it makes of the answer."""

from __future__ import annotations

import pytest

from hybrid.plus import PlusRejected

pytestmark = pytest.mark.unit


def test_what_serverless_is_to_the_deployment_is_told(plus, client):
    plus.expects("HybridServerless")
    state = client.serverless()
    assert (state.status, state.allows_base_images, state.error) == ("ACTIVE", True, None)
    assert state.registry == "111122223333.dkr.ecr.us-west-2.amazonaws.com/serverless"
    assert state.non_isolated_runs


def test_a_serverless_that_failed_says_why(plus, client):
    plus.expects("HybridServerless.failed")
    state = client.serverless()
    assert state.error is not None
    assert state.error.message == "no room"
    assert (state.registry, state.non_isolated_runs, state.message) == (None, False, "Upgrade dagster.")


def test_assets_are_counted_by_location_over_all_its_repositories(plus, client):
    plus.expects("HybridAssetCounts")
    assert client.asset_counts() == {"empty": 0, "hello": 2, "two": 2}, "what cannot be materialized is not counted"


def test_counts_that_cannot_be_had_are_an_error_with_dagsters_words(plus, client):
    plus.expects("HybridAssetCounts.fails")
    with pytest.raises(PlusRejected, match="the workspace is gone"):
        client.asset_counts()


def test_runs_are_found_by_a_tag(plus, client):
    plus.expects("HybridRunsTagged", "HybridRunsTagged.none")
    (run,) = client.runs_tagged("dagster/isolation", "disabled")
    assert (run.id, run.location) == ("run-7", "hello")
    assert client.runs_tagged("dagster/isolation", "disabled", limit=5) == []
