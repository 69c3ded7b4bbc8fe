"""Log groups as the program declares them."""

from __future__ import annotations

import pytest

from hybrid.errors import SettingsError
from infra.keeping import Adoption
from infra.log_group import RETENTION_DAYS, LogGroup, LogGroupArgs
from tests.unit.infra import recording

pytestmark = pytest.mark.unit

GROUP = "aws:cloudwatch/logGroup:LogGroup"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a0a0a0a-0b0b-0c0c-0d0d-0e0e0e0e0e0e"


def args(**changed: object) -> LogGroupArgs:
    return LogGroupArgs(**{"name": "/hybrid-prod/agent", "retention_days": 30, **changed})  # type: ignore[arg-type]


def made(**changed: object) -> recording.Record:
    return recording.run(lambda: LogGroup("logs", args(**changed)))


def test_lines_expire_and_the_group_goes_with_the_stack() -> None:
    record = made()
    group = record.only(GROUP)
    assert group.inputs == {"name": "/hybrid-prod/agent", "retentionInDays": 30}
    assert (group.parent, group.options.retain_on_delete) == ("logs", False)
    assert record.value(record.result.arn) == "arn:aws:logs:eu-west-1:123456789012:log-group:/hybrid-prod/agent"
    assert record.value(record.result.group_name) == "/hybrid-prod/agent"


def test_a_group_is_kept_and_taken_up_again_when_told() -> None:
    options = made(on_destroy="keep", adopted=Adoption("/hybrid-prod/agent")).only(GROUP).options
    assert (options.retain_on_delete, options.imported) == (True, "/hybrid-prod/agent")


def test_a_key_of_ones_own_encrypts() -> None:
    assert made(key_arn=KEY).only(GROUP).inputs["kmsKeyId"] == KEY


@pytest.mark.parametrize("days", RETENTION_DAYS)
def test_every_time_that_cloudwatch_knows_is_taken(days: int) -> None:
    assert args(retention_days=days).retention_days == days


@pytest.mark.parametrize(
    ("days", "next_step"),
    [
        (2, "Write 1 or 3"),
        (31, "Write 30 or 60"),
        (100, "Write 90 or 120"),
        (-1, "Write 1 as"),
        (9999, "Write 3653 or 0 as"),
    ],
)
def test_another_time_is_refused_with_the_nearest(days: int, next_step: str) -> None:
    with pytest.raises(SettingsError, match=f"does not keep lines for {days} days") as caught:
        args(retention_days=days)
    assert next_step in str(caught.value.next_step)


@pytest.mark.parametrize("name", ["", "with space", "x" * 513, "a:b"])
def test_what_is_no_name_of_a_log_group_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no name of a log group"):
        args(name=name)


def test_a_group_is_not_removed_only_when_empty() -> None:
    with pytest.raises(SettingsError, match="removed with its lines or kept"):
        args(on_destroy="remove-if-empty")
