"""The connections, from the environment, and how runs are executed."""

import os

from dagster import Definitions, in_process_executor

from migrated.connections import INBOX, RATES, Inbox, RateFile
from migrated.records import DATA
from migrated.warehouse import Tables, Warehouse

_warehouse = Warehouse()

defs = Definitions(
    # The steps take milliseconds, and DuckDB takes one writer.
    executor=in_process_executor,
    resources={
        "warehouse": _warehouse,
        "io_manager": Tables(warehouse=_warehouse),
        "inbox": Inbox(folder=os.environ.get(INBOX) or str(DATA / "orders")),
        "rate_file": RateFile(file=os.environ.get(RATES) or str(DATA / "euro_rates.csv")),
    },
)
