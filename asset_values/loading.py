"""Values loaded and stored by IO managers' own code, many at a time.

Dagster's ``AssetValueLoader`` and ``build_output_context`` set up an ephemeral instance three times a value, which is
most of what ``migrate_io_storage`` costs. The contexts are made here directly, with resources that each thread has
once; so IO managers that are not made for threads are never shared between them.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from asset_values.faults import Fault, FaultKind
from asset_values.inventory import StoredAsset
from asset_values.model import Entry

if TYPE_CHECKING:
    from dagster import DagsterInstance, InputContext, IOManager, OutputContext, PartitionKeyRange
    from dagster._core.definitions.partitions.subset.partitions_subset import PartitionsSubset

Transform = Callable[[object], object]

EXPIRED_OR_NEVER_STORED: Final = "expired or never stored: nothing lies where its IO manager would read it"
_MASKED: Final = "Attempting to access name, but it was not provided"
"""What Serverless's IO managers fail with when nothing is there: they put a name that is unset into their message."""
_NO_CONNECTION: Final = {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"}
_LONGEST_REASON: Final = 300


class Loader:
    """Loads values through the IO managers of their assets and stores them through another one. From any thread."""

    def __init__(self, instance: DagsterInstance) -> None:
        from dagster._core.definitions.scoped_resources_builder import ScopedResourcesBuilder
        from dagster._core.execution.context_creation_job import initialize_console_manager

        self._instance = instance
        self._log = initialize_console_manager(None)
        self._none = ScopedResourcesBuilder().build(set())  # given none, a context sets up an instance to build them
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._held = ExitStack()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_error: object) -> None:
        self._held.close()

    def manager(self, asset: StoredAsset) -> IOManager:
        """The asset's IO manager, this thread's own. Raises what its set-up raises."""
        manager: IOManager = getattr(self._resources(asset).all, asset.io_manager_key)
        return manager

    def load(self, asset: StoredAsset, partition: str | None) -> object:
        """The value. Raises ``Fault``: ABSENT when its IO manager finds nothing, OTHER with the error's words."""
        with _as_faults("could not be loaded"):
            return self.manager(asset).load_input(self._input(asset, _single(asset, partition), partition))

    def load_range(self, asset: StoredAsset, keys: PartitionKeyRange) -> object:
        """What the IO manager gives for a range of partitions: usually a mapping from key to value."""
        with _as_faults("could not be loaded"):
            return self.manager(asset).load_input(self._input(asset, self._range(asset, keys), None))

    def store(self, manager: IOManager, asset: StoredAsset, partition: str | None, value: object) -> None:
        """Have ``manager`` store the value as that asset's. Raises ``Fault`` (OTHER)."""
        with _as_faults("could not be stored"):
            manager.handle_output(self._output(asset, _single(asset, partition), partition), value)

    def store_range(self, manager: IOManager, asset: StoredAsset, keys: PartitionKeyRange, value: object) -> None:
        """The same for a range of partitions."""
        with _as_faults("could not be stored"):
            manager.handle_output(self._output(asset, self._range(asset, keys), None), value)

    def _resources(self, asset: StoredAsset) -> _Resources:
        held: dict[tuple[str, int], _Resources] = self._mine.__dict__.setdefault("held", {})
        key = asset.io_manager_key
        known = (key, id(asset.resources[key]))
        if known not in held:
            held[known] = self._set_up(asset)
        return held[known]

    def _set_up(self, asset: StoredAsset) -> _Resources:
        from dagster import build_resources
        from dagster._core.execution.build_resources import get_mapped_resource_config
        from dagster._core.execution.resources_init import get_transitive_required_resource_keys

        key, every = asset.io_manager_key, asset.resources
        needed = get_transitive_required_resource_keys(every[key].required_resource_keys, every) | {key}
        made = build_resources({name: every[name] for name in needed}, instance=self._instance)
        built = made.__enter__()
        with self._lock:
            self._held.push(made)
        return _Resources(built, get_mapped_resource_config({key: every[key]}, {})[key].config, every[key])

    def _input(self, asset: StoredAsset, subset: PartitionsSubset | None, partition: str | None) -> InputContext:
        from dagster import Any as AnyType
        from dagster import InputContext

        resources = self._resources(asset)
        upstream = self._output(asset, subset, partition)
        return InputContext(
            name=None,
            dagster_type=upstream._dagster_type or AnyType,
            upstream_output=upstream,
            log_manager=self._log,
            resource_config=resources.config,
            resources=resources.all,
            asset_key=asset.key,
            partition_key=partition,
            asset_partitions_subset=subset,
            asset_partitions_def=asset.partitions_def,
            instance=self._instance,
        )

    def _output(self, asset: StoredAsset, subset: PartitionsSubset | None, partition: str | None) -> OutputContext:
        from dagster import OutputContext

        definition = asset.definition
        runs = definition.is_executable
        name = definition.get_output_name_for_asset_key(asset.key) if runs else None
        return OutputContext(
            name=name,
            run_id="asset_values",
            definition_metadata=dict(definition.specs_by_key[asset.key].metadata),
            dagster_type=definition.node_def.output_def_named(name).dagster_type if name is not None else None,
            log_manager=self._log,
            resources=self._none,
            op_def=definition.get_op_def_for_asset_key(asset.key) if runs else None,
            asset_key=asset.key,
            partition_key=partition,
            asset_partitions_def=asset.partitions_def,
            asset_partitions_subset=subset,
            asset_spec=definition.specs_by_key[asset.key],
        )

    def _range(self, asset: StoredAsset, keys: PartitionKeyRange) -> PartitionsSubset:
        partitions = asset.partitions_def
        assert partitions is not None  # noqa: S101 - ranges are made of partitioned assets alone
        with asset.partition_context():
            return partitions.empty_subset().with_partition_key_range(partitions, keys)


@dataclass(frozen=True)
class _Resources:
    all: Any
    config: Any
    definition: Any
    """Held so that its id stays its own."""


@dataclass(frozen=True)
class LoadedValue:
    """A ``Reading``: a value that was loaded, and the bytes that Dagster's IO managers would store of it."""

    entry: Entry
    data: bytes

    def whole(self) -> bytes:
        return self.data

    def parts(self, size: int) -> Iterator[bytes]:
        for start in range(0, len(self.data), size):
            yield self.data[start : start + size]


class LoadedSource:
    """A ``Source`` of values that have to be loaded, and changed perhaps, before they are pickles. A value's version is
    the SHA-256 of its pickle. ``values``: by key, asset, partition and when it was stored (seconds since 1970; 0 where
    that is not known, so that nothing at the destination counts as older)."""

    can_list = False

    def __init__(
        self,
        name: str,
        loader: Loader,
        values: Mapping[str, tuple[StoredAsset, str | None, float]],
        transform: Transform | None,
    ) -> None:
        self.name = name
        self._loader = loader
        self._values = values
        self._transform = transform

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        raise NotImplementedError("what an IO manager has stored cannot be listed")

    def head(self, key: str) -> Entry | None:
        try:
            with self.open(key) as reading:
                return reading.entry
        except Fault as fault:
            if fault.kind is FaultKind.ABSENT:
                return None
            raise

    @contextmanager
    def open(self, key: str) -> Iterator[LoadedValue]:
        from dagster._utils import PICKLE_PROTOCOL

        asset, partition, stored = self._values[key]
        value = transformed(self._loader.load(asset, partition), self._transform)
        with _as_faults("cannot be pickled"):
            data = pickle.dumps(value, PICKLE_PROTOCOL)
        digest = hashlib.sha256(data).hexdigest()
        yield LoadedValue(Entry(key, len(data), digest, stored, sha256=digest), data)


def transformed(value: object, transform: Transform | None) -> object:
    """Raises ``Fault`` (OTHER) with what the transform raised."""
    if transform is None:
        return value
    with _as_faults("the transform failed"):
        return transform(value)


def words_of(error: BaseException) -> str:
    """An error of somebody's code in one line, without the query strings and passwords that addresses may carry."""
    if type(error).__module__.startswith("dagster.") and error.__cause__ is not None:
        error = error.__cause__  # Dagster's own says only in which function it was
    text = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    text = re.sub(r"(https?://[^\s?'\"]*)\?[^\s'\")]*", r"\1", text)
    text = re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


@contextmanager
def _as_faults(what: str) -> Iterator[None]:
    try:
        yield
    except Fault:
        raise
    except FileNotFoundError:
        raise Fault(FaultKind.ABSENT, EXPIRED_OR_NEVER_STORED) from None
    except Exception as error:
        if _MASKED in str(error):
            raise Fault(FaultKind.ABSENT, EXPIRED_OR_NEVER_STORED) from None
        passing = isinstance(error, ConnectionError | TimeoutError) or type(error).__name__ in _NO_CONNECTION
        raise Fault(FaultKind.UNREACHABLE if passing else FaultKind.OTHER, f"{what}: {words_of(error)}") from None


def _single(asset: StoredAsset, partition: str | None) -> PartitionsSubset | None:
    """Just this partition, with its dimensions: the IO manager makes the key of them."""
    from dagster import MultiPartitionsDefinition, TimeWindowPartitionsDefinition
    from dagster._core.definitions.partitions.subset.default import DefaultPartitionsSubset

    if partition is None:
        return None
    if isinstance(asset.partitions_def, TimeWindowPartitionsDefinition):
        return asset.partitions_def.subset_with_partition_keys([partition])
    if isinstance(asset.partitions_def, MultiPartitionsDefinition):
        return DefaultPartitionsSubset({asset.partitions_def.get_partition_key_from_str(partition)})
    return DefaultPartitionsSubset({partition})
