"""The ``KubernetesLaunchCheck`` resource: the statement that a cluster will be able to launch a code location, made
before an agent is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hybrid.provider.definition import Definition, ListOf, MapOf, Property, Text
from hybrid.provider.kubernetes_place import NAMESPACE, PLACE, Doors
from hybrid.provider.launch_check import OUTPUTS, TRIGGERS, WHY_FIRST, LaunchCheck
from hybrid.provider.launch_images import image_problem
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

if TYPE_CHECKING:
    from hybrid.delivery.images.registry import Registry
    from hybrid.kubernetes.launching import Finding
    from hybrid.kubernetes.session import Cluster

_NAMES: Final = ListOf(Text())

DEFINITION: Final = Definition(
    name="KubernetesLaunchCheck",
    description="The statement that a cluster can launch a code location: its image is in its registry, for the nodes' "
    "architecture; the namespace, service accounts, Secrets, ConfigMaps and volume claims that it names are there. "
    f"{WHY_FIRST} Of Secrets only the names are looked at.",
    inputs={
        **PLACE,
        "namespace": NAMESPACE,
        "location": Property(Text(), "the code location's name"),
        "image": Property(Text(), "its image, by digest where it has one"),
        "serviceAccounts": Property(_NAMES, "names of service accounts under which it runs", default=[]),
        "secrets": Property(_NAMES, "names of Secrets that it, or the pull of its image, needs", default=[]),
        "configMaps": Property(_NAMES, "names of ConfigMaps that it needs", default=[]),
        "claims": Property(_NAMES, "names of PersistentVolumeClaims that it needs", default=[]),
        "nodeSelectors": Property(
            ListOf(MapOf(Text(empty=True))),
            "the labels that nodes of code servers, and of runs, must bear; by these its architectures are found",
            default=[{}],
        ),
        "triggers": TRIGGERS,
    },
    outputs=OUTPUTS,
)  # fmt: skip


class Launching:
    """What the checks of an update share: doors to clusters and the registries."""

    def __init__(self) -> None:
        import os

        from hybrid.delivery.images.registry import Registry

        self.doors = Doors()
        self.registry = Registry(os.environ)


class KubernetesLaunchCheck(LaunchCheck):
    """See ``DEFINITION``."""

    definition = DEFINITION
    launcher = "The cluster"
    aside = PLACE.keys()

    def __init__(self, launching: Launching) -> None:
        self._shared = launching

    def create(self, inputs: Properties, call: Call) -> Existing:
        """Raises one ``NotReadyError`` with all that is wrong, and ``KubernetesError`` when the cluster cannot be
        asked."""
        call.report.status("checking that it can be launched")
        found = dict.fromkeys(_findings(self._shared.doors.to(inputs), self._shared.registry, inputs))
        return self.stated(inputs, list(found), call)


def _findings(cluster: Cluster, registry: Registry, inputs: Properties) -> Iterator[Finding]:
    """All that is wrong, and what could not be found out."""
    from hybrid.kubernetes import kinds, launching

    namespace = str(inputs["namespace"])
    of_namespace = launching.namespace_findings(cluster, namespace)
    yield from of_namespace
    yield from _image_findings(cluster, registry, inputs)
    if any(finding.is_wrong for finding in of_namespace):
        return  # nothing is there, and each name would be told once more
    named = {
        kinds.SERVICE_ACCOUNT: inputs["serviceAccounts"],
        kinds.SECRET: inputs["secrets"],
        kinds.CONFIG_MAP: inputs["configMaps"],
        kinds.CLAIM: inputs["claims"],
    }
    for kind, names in named.items():
        yield from launching.name_findings(cluster, namespace, kind, names)


def _image_findings(cluster: Cluster, registry: Registry, inputs: Properties) -> Iterator[Finding]:
    from hybrid.kubernetes.launching import Finding, architectures_of

    image = str(inputs["image"])
    selectors: Sequence[Mapping[str, str]] = inputs["nodeSelectors"] or [{}]
    each = [architectures_of(cluster, selector) for selector in selectors]
    found = {f"linux/{kind}" for kinds in each for kind in kinds or ()}
    if None in each:
        yield Finding(
            "The nodes' architecture is not known: none fits yet, or this identity may not list nodes. "
            f"{image} was not held against it."
        )
    setting = "choose nodes that it is for by the label kubernetes.io/arch in `node_selector`"
    problem = image_problem(registry, image, sorted(found), "node", setting)
    if problem is not None:
        yield Finding(problem.what, problem.next_step)
