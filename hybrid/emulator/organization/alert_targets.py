"""The targets that an alert policy may have: what each kind of them has to look like.

Rests on ``docs``: guides/observe/alerts/yaml-reference.
"""

from __future__ import annotations

from typing import Any, Final

from hybrid.emulator.shapes import Check, any_text, listing, mapping, nullable, number, one_of, text, whole

_names: Final = nullable(listing(text))
_tags: Final = nullable(listing(mapping({"key": text}, {"value": nullable(any_text)})))
_path: Final = listing(text, shortest=1)
_place: Final[dict[str, Check]] = {"location_name": text, "repo_name": text}
_job: Final = mapping({**_place, "job_name": text})
_metric: Final[dict[str, Check]] = {
    "metric_name": text,
    "selection_period_days": whole(1),
    "threshold": number(),
    "operator": one_of("GREATER_THAN", "LESS_THAN"),
}
_FUNCTIONS: Final = ("SUM", "LATEST", "MAX", "MIN")


def _thresholds(value: Any, path: str) -> list[str]:
    faults = mapping({}, {"min_allowed_value": nullable(number()), "max_allowed_value": nullable(number())})(
        value, path
    )
    if faults:
        return faults
    low, high = value.get("min_allowed_value"), value.get("max_allowed_value")
    if low is None and high is None:
        return [f"{path} needs min_allowed_value or max_allowed_value."]
    if low is not None and high is not None and high <= low:
        return [f"{path}.max_allowed_value must be greater than min_allowed_value."]
    return []


def _window(value: Any, path: str) -> list[str]:
    faults = number()(value, path)
    return faults or ([] if value > 0 else [f"{path} must be more than 0 hours."])


_monitor: Final[dict[str, Check]] = {
    "metric_name": text,
    "lookback_window": _window,
    # The reference has them in both cases of letters.
    "aggregation_function": one_of(*_FUNCTIONS, *(name.lower() for name in _FUNCTIONS)),
    "thresholds": _thresholds,
}
_comparison: Final = {"comparison_type": one_of("ABSOLUTE", "PERCENT_CHANGE")}
_runs: Final[dict[str, Check]] = {"jobs": nullable(listing(_job)), "tags": _tags, "location_names": _names}

TARGETS: Final[dict[str, Check]] = {
    "run_result_target": nullable(mapping({}, _runs)),
    "long_running_job_threshold_target": mapping({"threshold_seconds": number(0)}, _runs),
    "asset_key_target": mapping({"asset_key": _path}),
    "asset_selection_target": mapping({"asset_selection": text}),
    "asset_group_target": mapping({"asset_group": text, **_place}),
    "asset_selection_view_target": mapping({"asset_selection_view_id": text}),
    "favorites_selection_view_target": mapping({"user_email": text}),
    "schedule_or_sensor_target": nullable(
        mapping(
            {},
            {
                "schedules_or_sensors": nullable(listing(mapping({**_place, "name": text}))),
                "location_names": _names,
                "types": nullable(listing(one_of("SCHEDULE", "SENSOR"))),
            },
        )
    ),
    "code_location_target": nullable(mapping({}, {"location_names": _names})),
    "credit_limit_target": nullable(mapping({}, {"credit_limit": whole(0)})),
    "insights_deployment_threshold_target": mapping(_metric),
    "insights_asset_group_threshold_target": mapping(
        {**_metric, "asset_group": mapping({**_place, "asset_group_name": text})}
    ),
    "insights_asset_threshold_target": mapping({**_metric, "asset_key": _path}),
    "insights_job_threshold_target": mapping({**_metric, "job": _job}),
    "metric_monitor_asset_selection_threshold_target": mapping(
        {**_monitor, "asset_selection": text, "combine_fn": one_of("ANY", "ALL")}, _comparison
    ),
    "metric_monitor_deployment_threshold_target": mapping(_monitor, _comparison),
}
