"""How runs of this location are executed."""

from dagster import Definitions, in_process_executor

# A step here takes milliseconds; in a process of its own, Dagster's default, it would first import Dagster, which takes
# seconds. A location with steps that take long or much memory leaves this file out.
defs = Definitions(executor=in_process_executor)
