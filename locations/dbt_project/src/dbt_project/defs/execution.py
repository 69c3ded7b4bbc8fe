"""How runs of this location are executed."""

from dagster import Definitions, in_process_executor
from dagster_dbt import DbtCliResource

from dbt_project import manifest

# One process a run: dbt is a process of its own already, and two steps at a time would only wait for each other,
# because DuckDB takes one writer.
defs = Definitions(
    executor=in_process_executor,
    resources={
        "dbt": DbtCliResource(
            project_dir=str(manifest.PROJECT), profiles_dir=str(manifest.PROJECT), dbt_executable=str(manifest.DBT)
        )
    },
)
