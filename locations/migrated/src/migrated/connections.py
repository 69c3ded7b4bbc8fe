"""The connections that Airflow and Prefect kept in their own databases, as resources."""

# Dagster reads the annotations of resources as objects, so annotations are not postponed here.

import re
from pathlib import Path

from dagster import ConfigurableResource

INBOX = "MIGRATED_INBOX"
RATES = "MIGRATED_RATES"

_FILE = re.compile(r"orders-(\d{4}-\d\d-\d\d)\.csv")


class Inbox(ConfigurableResource):
    """The folder in which the shop system leaves `orders-<day>.csv`. In Airflow: the connection `inbox`."""

    folder: str

    def file(self, day: str) -> Path:
        """The file of ``day`` (ISO date). Raises ``FileNotFoundError`` that says what is missing."""
        file = Path(self.folder) / f"orders-{day}.csv"
        if not file.is_file():
            raise FileNotFoundError(f"{file} has not arrived")
        return file

    def arrived(self) -> dict[str, int]:
        """When each day's file was last changed, in nanoseconds since 1970, by day."""
        files = {found[1]: path for path in Path(self.folder).glob("*.csv") if (found := _FILE.fullmatch(path.name))}
        return {day: files[day].stat().st_mtime_ns for day in sorted(files)}


class RateFile(ConfigurableResource):
    """Where the rates come from. In Prefect: the block `rates-folder`."""

    file: str

    def path(self) -> Path:
        return Path(self.file)
