"""What ``hybrid status`` adds for a stack on ECS: the agent's service, what the agent made, and that Dagster+'s side is
shown without AWS. AWS is moto, which starts no tasks of services: counts of tasks are shown by the tier with an ECS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.ecs_checkout import Call, Cluster, FakePlus, agent

pytestmark = pytest.mark.unit

IMAGE = "public.ecr.aws/dagster/dagster-cloud-agent:1.13.27"


@pytest.fixture
def standing(aws: Cluster, plus: FakePlus) -> Cluster:
    plus.listed = [agent("a1")]
    plus.documents["prod"] = {"alpha": "x/alpha:1", "beta": "x/beta:1"}
    aws.agent(IMAGE)
    aws.server("alpha-1", "alpha", "x/alpha:1", "a1")
    aws.server("beta-0", "beta", "x/beta:0", "gone")
    run = aws.definition("hybrid-prod-r_etl", "x/alpha:1")
    aws.task(run, {"dagster-hybrid/stack": "hybrid-prod", "dagster/run_id": "r1", "dagster/job_name": "etl"})
    aws.task(run, {"dagster-hybrid/stack": "another", "dagster/run_id": "r2"})
    aws.service("theirs", run, {"dagster-hybrid/stack": "another", "dagster/agent_id": "a9"})
    return aws


def test_the_service_and_what_the_agent_made_are_in_the_answer(call: Call, standing: Cluster) -> None:
    answer = call("status", "prod", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    service = told["ecs"]["service"]
    assert (service["desired"], service["running"]) == (1, 1)
    assert (service["image"], service["version"]) == (IMAGE, "1.13.27")
    assert service["task_definition"].endswith("task-definition/hybrid-prod-agent:1")
    servers = {each["service"]: each for each in told["ecs"]["code_servers"]}
    assert sorted(servers) == ["alpha-1", "beta-0"], "another stack's in the same cluster is not ours"
    assert (servers["alpha-1"]["orphan"], servers["beta-0"]["orphan"]) == (False, True)
    assert (servers["alpha-1"]["cpu"], servers["alpha-1"]["memory"]) == ("256", "1024")
    assert [(run["run_id"], run["job"]) for run in told["ecs"]["runs"]] == [("r1", "etl")]
    assert told["ecs"]["monthly_cost"]["prices_as_of"], "whose and when the prices are is said"
    assert told["ecs"]["problem"] is None


def test_the_keys_of_before_are_as_before(call: Call, standing: Cluster) -> None:
    told = json.loads(call("status", "prod", "--json").out)
    assert list(told)[:6] == ["stack", "organization", "deployment", "agents", "locations", "url"]
    assert told["agents"][0]["status"] == "RUNNING"
    assert [each["load_status"] for each in told["locations"]] == ["LOADED", "LOADED"]


def test_people_see_a_line_a_thing(call: Call, standing: Cluster) -> None:
    out = call("status", "prod").out
    assert "1/1 running" in out
    assert "1.13.27" in out
    assert "ORPHAN" in out
    assert "256 CPU  1024 MiB" in out


def test_without_agents_in_dagster_plus_nothing_is_called_an_orphan(
    call: Call, standing: Cluster, plus: FakePlus
) -> None:
    plus.listed = [agent("a1", status="NOT_RUNNING")]
    answer = call("status", "prod", "--json")
    assert answer.code == 7, "no agent is RUNNING"
    assert {each["orphan"] for each in json.loads(answer.out)["ecs"]["code_servers"]} == {False}, "nobody knows"


def test_missing_credentials_leave_dagster_plus_s_side(
    call: Call, plus: FakePlus, aws: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plus.listed, plus.documents["prod"] = [agent()], {"alpha": "x/alpha:1", "beta": "x/beta:1"}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    words, told = call("status", "prod"), call("status", "prod", "--json")
    assert (words.code, told.code) == (0, 0), "whether it is ready is Dagster+'s to say"
    assert "no AWS credentials" in words.err
    assert "AWS_PROFILE" in words.err, "what to do is said"
    document = json.loads(told.out)
    assert document["ecs"]["problem"] == "There are no AWS credentials."
    assert document["ecs"]["service"] is None
    assert document["locations"][0]["load_status"] == "LOADED"


def test_another_account_s_credentials_are_said_and_not_used(
    call: Call, plus: FakePlus, aws: Cluster, file: Path
) -> None:
    plus.listed, plus.documents["prod"] = [agent()], {"alpha": "x/alpha:1", "beta": "x/beta:1"}
    file.write_text(file.read_text().replace("123456789012", "999999999999"))
    document = json.loads(call("status", "prod", "--json").out)
    assert "123456789012" in document["ecs"]["problem"]
    assert document["ecs"]["code_servers"] == []


def test_a_service_that_is_not_there_is_said(call: Call, plus: FakePlus, aws: Cluster) -> None:
    plus.documents["prod"] = {"alpha": "x/alpha:1", "beta": "x/beta:1"}
    answer = call("status", "prod")
    assert answer.code == 7
    assert "NOT THERE" in answer.out


def test_another_platform_has_no_such_key(call: Call, root: Path) -> None:
    (root / "stacks" / "Pulumi.here.yaml").write_text("config: {}\n")
    assert "ecs" not in json.loads(call("status", "here", "--json").out)
