"""How runs of this location are executed."""

from dagster import Definitions, in_process_executor
from dagster_dlt import DagsterDltResource

# One process a run: the steps take under a second, a process each would first import Dagster and dlt, and two at a time
# would only wait for each other, because DuckDB takes one writer.
defs = Definitions(executor=in_process_executor, resources={"dlt": DagsterDltResource()})
