"""Insights: metrics of jobs, assets, groups and selections of assets, and deployments, out of their runs and events.

Rests on: ``client`` (dagster_rest_resources/queries/metrics.graphql, dagster_rest_resources/api/metrics.py);
``schema`` for filters, orders and entities; ``hybrid.emulator.reporting`` says what rests on what of the figures
themselves. ``invented``: there is one store of metrics, so that ``metricsStoreType`` changes nothing; filters of
several kinds narrow one another; without an order, entries come by name; an asset that no location defines any more
has neither location nor repository; metrics of metadata that are listed are those of the last 30 days, unless a time
is given. Metrics that need what is not known here are not listed: credits, success rates, freshness, time to
resolution, and costs, which user code sends in Parquet files that nothing here reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public import deployments
from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Deployment, Organization
from hybrid.emulator.reporting import (
    Entity,
    Figures,
    Metric,
    Place,
    ReportingError,
    Sample,
    Scope,
    Window,
    figures,
    metadata_metric,
    metric_named,
    metrics_of,
)
from hybrid.emulator.seam import InsightsView

LISTED_DAYS: Final = 30  # what Dagster+'s own pages can be asked for
_DAY: Final = 86_400
_NOWHERE: Final = Place("", "", "")
_WHOLE: Final[Entity] = ()


class _Insights:
    """Resolvers over the deployments of one organization."""

    def __init__(self, organization: Organization, runtime: RuntimeLoader) -> None:
        self._organization = organization
        self._runtime = runtime

    # -- which metrics there are ------------------------------------------------------------------------------------

    def types_of_jobs(self, _parent: Any, info: Any, **_arguments: Any) -> Typed:
        return lacking(info, "VIEWER", agents=True) or _listed("job", metrics_of("job"))

    def types_of_deployments(self, _parent: Any, info: Any, **_arguments: Any) -> Typed:
        return lacking(info, "VIEWER", agents=True) or _listed("deployment", metrics_of("deployment"))

    def types_of_assets(self, _parent: Any, info: Any, **_arguments: Any) -> Typed:
        return self._types_of_assets(info, {}, {})

    def types_of_some_assets(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        return self._types_of_assets(info, arguments.get("metricsFilter") or {}, arguments["timeframeSelector"])

    def types_of_some_jobs(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        """Of jobs no metric comes and goes: those of any job are those of each."""
        return self.types_of_jobs(_parent, info)

    def _types_of_assets(self, info: Any, wanted: Typed, frame: Typed) -> Typed:
        fault = lacking(info, "VIEWER", agents=True)
        if fault:
            return fault
        insights = self._of(context_of(info)["deployment"])
        try:
            window = _frame(frame)
            assets = _assets(insights, wanted) if any(value is not None for value in wanted.values()) else None
            keys = insights.numeric_metadata(window.after, window.before, None if assets is None else list(assets))
        except ReportingError as error:
            return plain_error(str(error))
        return _listed("asset", [*metrics_of("asset"), *map(metadata_metric, keys)])

    # -- what they say ----------------------------------------------------------------------------------------------

    def of_jobs(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        wanted = arguments.get("metricsFilter") or {}

        def told(asked: _Asked) -> list[Typed]:
            samples = asked.samples(self._of(asked.deployment), "job")
            chosen = [sample for sample in samples if _is_wanted_job(sample.entity, wanted)]
            return asked.entries(chosen, "job", _job)

        return self._told(info, arguments, told)

    def of_assets(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        wanted = arguments.get("metricsFilter") or {}

        def told(asked: _Asked) -> list[Typed]:
            insights = self._of(asked.deployment)
            places = _assets(insights, wanted)
            narrowed = any(wanted.get(name) is not None for name in (*_BY_PLACE, "assets", "assetSelection"))
            samples = asked.samples(insights, "asset")
            chosen = [sample for sample in samples if not narrowed or sample.entity in places]
            return asked.entries(chosen, "asset", lambda path: _asset(path, places.get(path, _NOWHERE)))

        return self._told(info, arguments, told)

    def of_groups(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        wanted = arguments.get("metricsFilter") or {}

        def told(asked: _Asked) -> list[Typed]:
            insights = self._of(asked.deployment)
            places = _assets(insights, wanted)
            samples = asked.samples(insights, "asset")
            chosen = [
                sample._replace(entity=tuple(places[sample.entity])) for sample in samples if sample.entity in places
            ]
            return asked.entries(chosen, "asset", lambda entity: _group(Place(*entity)))

        return self._told(info, arguments, told)

    def of_selection(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        wanted = arguments["metricsFilter"]
        keys, selection = wanted.get("assetKeys"), wanted.get("assetSelection")

        def told(asked: _Asked) -> list[Typed]:
            if bool(keys) == bool(selection):
                raise ReportingError("A selection is either `assetSelection` or `assetKeys`.")
            insights = self._of(asked.deployment)
            qualified = [{"assetKey": key} for key in keys or () if key] or None
            places = _assets(insights, {"assets": qualified, "assetSelection": selection})
            samples = asked.samples(insights, "asset")
            chosen = [sample._replace(entity=_WHOLE) for sample in samples if sample.entity in places]
            words = selection or " or ".join(_key_selection(path) for path in places)
            return asked.entries(
                chosen, "asset", lambda _entity: {"__typename": "ReportingAssetSelection", "selection": words}
            )

        return self._told(info, arguments, told)

    def of_deployments(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        wanted = arguments.get("metricsFilter") or {}
        numbers = wanted.get("deploymentIds")
        known = self._organization.deployments
        all_of_kind = known.branches() if wanted.get("branchDeployments") else known.full()
        chosen = known.all() if numbers is not None else all_of_kind
        seen = {
            str(one.id): one
            for one in chosen
            if (numbers is None or one.id in numbers) and lacking(info, "VIEWER", one, agents=True) is None
        }

        def told(asked: _Asked) -> list[Typed]:
            samples = [
                sample._replace(entity=(one.name, number))
                for number, one in seen.items()
                for sample in asked.samples(self._of(one), "deployment")
            ]
            return asked.entries(
                samples, "deployment", lambda entity: deployments.described(self._organization, seen[entity[1]])
            )

        return self._told(info, arguments, told)

    def _told(self, info: Any, arguments: Typed, tell: Callable[[_Asked], list[Typed]]) -> Typed:
        fault = lacking(info, "VIEWER", agents=True)
        if fault:
            return fault
        try:
            asked = _Asked(context_of(info)["deployment"], arguments)
            return {"__typename": "ReportingMetrics", "metrics": tell(asked), "timestamps": list(asked.window.starts)}
        except ReportingError as error:
            return {"__typename": "ReportingInputError", "message": str(error)}

    def _of(self, deployment: Deployment) -> InsightsView:
        return self._runtime.get().insights(deployment.name)


class _Asked:
    """A ``ReportingMetricsSelector`` with the limit of the filter beside it. Raises ``ReportingError``."""

    def __init__(self, deployment: Deployment, arguments: Typed) -> None:
        selector = arguments["metricsSelector"]
        self.deployment = deployment
        self.window = Window(selector["after"], selector["before"], selector["granularity"])
        self._name: str = selector["metricName"]
        self._function: str = selector.get("aggregationFunction") or "SUM"
        self._order = _order(selector)
        self._limit = (arguments.get("metricsFilter") or {}).get("limit")
        if self._limit is not None and self._limit < 0:
            raise ReportingError("`limit` cannot be negative.")

    def samples(self, insights: InsightsView, scope: Scope) -> list[Sample]:
        """Those of the window and, counted apart, of the time just before."""
        metric, window = metric_named(self._name, scope), self.window
        former = insights.samples(metric, scope, window.former, window.after)
        return [*former, *insights.samples(metric, scope, window.after, window.before)]

    def entries(self, samples: Sequence[Sample], scope: Scope, describe: Callable[[Entity], Typed]) -> list[Typed]:
        told = figures(samples, self.window, metric_named(self._name, scope), self._function)
        described = [(one, describe(one.entity)) for one in told]
        for target, direction in reversed(self._order):
            described.sort(key=lambda pair: _SORTED_BY[target](*pair), reverse=direction == "DESCENDING")
        return [_entry(one, entity) for one, entity in described[: self._limit]]


def resolvers(organization: Organization, runtime: RuntimeLoader) -> Resolvers:
    insights = _Insights(organization, runtime)
    return {
        "Query": {
            "metricTypesForJob": insights.types_of_jobs,
            "metricTypesForAsset": insights.types_of_assets,
            "metricTypesForAssetGroup": insights.types_of_assets,
            "metricTypesForDeployment": insights.types_of_deployments,
            "metricTypesForSpecificJob": insights.types_of_some_jobs,
            "metricTypesForSpecificAsset": insights.types_of_some_assets,
            "reportingMetricsByJob": insights.of_jobs,
            "reportingMetricsByAsset": insights.of_assets,
            "reportingMetricsByAssetGroup": insights.of_groups,
            "reportingMetricsByAssetSelection": insights.of_selection,
            "reportingMetricsByDeployment": insights.of_deployments,
        },
    }


def _listed(scope: Scope, metrics: Sequence[Metric]) -> Typed:
    return {
        "__typename": "MetricTypeList",
        "id": scope,
        "metricTypes": [
            {
                "id": f"{scope}:{metric.name}",
                "metricName": metric.name,
                "displayName": metric.display_name,
                "defaultDisplayName": metric.display_name,
                "description": metric.description,
                "defaultDescription": metric.description,
                "unitType": metric.unit,
                "pending": False,
                "visible": True,
            }
            for metric in metrics
        ],
    }


def _frame(frame: Typed) -> Window:
    """The time that metric types are asked for; the last 30 days where it is open."""
    given = frame.get("before")
    before = time.time() if given is None else given
    after = frame.get("after")
    return Window(max(0.0, before - LISTED_DAYS * _DAY) if after is None else after, before, "MONTHLY")


_BY_PLACE: Final = ("assetGroups", "codeLocations")


def _assets(insights: InsightsView, wanted: Typed) -> Mapping[Entity, Place]:
    """The assets that a filter leaves; those named by their keys need not be defined."""
    places = insights.assets(wanted.get("assetSelection"))
    keys = wanted.get("assets")
    if keys is not None:
        named = [tuple(key["assetKey"]["path"]) for key in keys if key]
        undefined = {} if wanted.get("assetSelection") is not None else dict.fromkeys(named, _NOWHERE)
        places = {path: place for path, place in {**undefined, **places}.items() if path in set(named)}
    for name in _BY_PLACE:
        if wanted.get(name) is not None:
            choices = [choice for choice in wanted[name] if choice]
            places = {path: place for path, place in places.items() if any(_fits(place, one) for one in choices)}
    return places


def _fits(place: Place, choice: Typed) -> bool:
    return all(
        choice.get(key) in (None, value)
        for key, value in (
            ("assetGroupName", place.group),
            ("repositoryName", place.repository),
            ("codeLocationName", place.location),
        )
    )


def _is_wanted_job(entity: Entity, wanted: Typed) -> bool:
    job, repository, location = entity
    own = {"jobName": job, "repositoryName": repository, "codeLocationName": location}
    return all(
        wanted.get(name) is None
        or any(all(choice.get(key) in (None, value) for key, value in own.items()) for choice in wanted[name] if choice)
        for name in ("jobs", "codeLocations")
    )


def _key_selection(path: Entity) -> str:
    return 'key:"' + "/".join(path) + '"'


def _job(entity: Entity) -> Typed:
    job, repository, location = entity
    return {
        "__typename": "ReportingJob",
        "jobName": job,
        "repositoryName": repository,
        "codeLocationName": location,
    }


def _asset(path: Entity, place: Place) -> Typed:
    return {
        "__typename": "ReportingAsset",
        "assetKey": {"path": list(path)},
        "assetGroup": place.group or None,
        "codeLocationName": place.location,
        "repositoryName": place.repository,
    }


def _group(place: Place) -> Typed:
    return {
        "__typename": "ReportingAssetGroup",
        "groupName": place.group,
        "codeLocationName": place.location,
        "repositoryName": place.repository,
    }


def _entry(one: Figures, entity: Typed) -> Typed:
    return {
        "entity": entity,
        "aggregateValue": one.aggregate,
        "aggregateValueChange": {"change": one.change, "isNewlyAvailable": one.newly},
        "values": list(one.values),
    }


def _order(selector: Typed) -> list[tuple[str, str]]:
    targets = [target for target in selector.get("sortTarget") or () if target]
    directions = [direction for direction in selector.get("sortDirection") or () if direction]
    if len(directions) > len(targets):
        raise ReportingError("Each of `sortDirection` belongs to one of `sortTarget`, and there are more of them.")
    return list(zip(targets, [*directions, *["ASCENDING"] * (len(targets) - len(directions))], strict=True))


_SORTED_BY: Final[Mapping[str, Callable[[Figures, Typed], Any]]] = {
    "NAME": lambda one, _entity: one.entity,
    "CODE_LOCATION_NAME": lambda _one, entity: entity.get("codeLocationName", ""),
    "PCT_CHANGE": lambda one, _entity: one.change,
    "AGGREGATION_VALUE": lambda one, _entity: one.aggregate,
}
