"""The team's repository, in the shapes that Dagster's own quickstarts for Serverless have.

``orders`` is a Python executable with partitioned values, ``reports`` a Docker build with both lifecycle hooks,
``alerts`` has runs without isolation, ``rates`` is as plain as can be. None of it knows of Hybrid.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

LOCATIONS: Final = ("orders", "reports", "alerts", "rates")

_DAGSTER_CLOUD: Final = """\
locations:
  - location_name: orders
    code_source: {package_name: orders.definitions}
    build: {directory: ./orders}
  - location_name: reports
    code_source: {python_file: reports.py}
    build: {directory: ./reports}
  - location_name: alerts
    code_source: {module_name: alerts}
    build: {directory: ./alerts}
  - location_name: rates
    code_source: {module_name: rates}
    build: {directory: ./rates}
"""

_WORKFLOW: Final = """\
name: Serverless
on:
  push: {branches: [main]}
env:
  DAGSTER_CLOUD_URL: "https://acme.dagster.cloud"
  DAGSTER_CLOUD_API_TOKEN: ${{ secrets.DAGSTER_CLOUD_API_TOKEN }}
jobs:
  executables:
    runs-on: ubuntu-22.04
    steps:
      - uses: actions/checkout@v4
      - uses: dagster-io/dagster-cloud-action/actions/build_deploy_python_executable@v1.13.27
        with: {dagster_cloud_file: dagster_cloud.yaml, build_output_dir: build, python_version: "3.11"}
  images:
    runs-on: ubuntu-22.04
    steps:
      - uses: dagster-io/dagster-cloud-action/actions/serverless_prod_deploy@v1.13.27
        with: {dagster_cloud_api_token: "${{ secrets.DAGSTER_CLOUD_API_TOKEN }}", location: '{"name": "reports"}'}
"""

_SETUP: Final = """\
from setuptools import setup

setup(
    name="orders",
    version="0.1",
    packages=["orders"],
    install_requires=["dagster==1.13.27", "dagster-cloud==1.13.27"],
)
"""
_PROJECT: Final = """\
[project]
name = "alerts"
version = "0.1"
dependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]
"""
_REQUIREMENTS: Final = "dagster==1.13.27\ndagster-cloud==1.13.27\n"

_ORDERS: Final = '''\
"""Orders by day, and what they come to."""

import os

import dagster as dg

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
HERE = {"executor_def": dg.in_process_executor}


@dg.asset(partitions_def=DAYS)
def orders(context: dg.AssetExecutionContext) -> list:
    return [len(os.environ["WAREHOUSE_PASSWORD"]), context.partition_key]


@dg.asset
def revenue(orders: dict) -> int:
    return 10 * len(orders)


take = dg.define_asset_job("take", [orders], partitions_def=DAYS, **HERE)
add_up = dg.define_asset_job("add_up", [revenue], **HERE)
yearly = dg.ScheduleDefinition(
    job=add_up, cron_schedule="0 4 1 1 *", name="yearly", default_status=dg.DefaultScheduleStatus.RUNNING
)
defs = dg.Definitions(assets=[orders, revenue], jobs=[take, add_up], schedules=[yearly])
'''

_REPORTS: Final = '''\
"""Reports, which need a font from one hook and a template that another one makes."""

import os
from pathlib import Path

import dagster as dg

REGION = os.environ.get("DAGSTER_CLOUD_SERVERLESS_REGION", "us-west-2")
FONT, TEMPLATE = Path("/usr/local/share/fonts/team"), Path("/opt/dagster/app/template.txt")


@dg.op
def print_report(context: dg.OpExecutionContext) -> None:
    if not os.environ.get("REPORT_KEY"):
        raise ValueError("REPORT_KEY is not there")
    missing = [str(each) for each in (FONT, TEMPLATE) if not each.exists()]
    context.log.info(f"in {REGION}: {'without ' + ', '.join(missing) if missing else TEMPLATE.read_text()}")


@dg.job(executor_def=dg.in_process_executor)
def report() -> None:
    print_report()


defs = dg.Definitions(jobs=[report])
'''
_PRE: Final = """\
#!/bin/sh
set -e
mkdir -p /usr/local/share/fonts/team
"""
_POST: Final = """\
#!/bin/sh
set -e
python3 -c 'import dagster; print("made with dagster", dagster.__version__)' > template.txt
"""

_ALERTS: Final = '''\
"""Many short runs, which Serverless runs without isolation."""

import dagster as dg


@dg.op
def look() -> None: ...


@dg.job
def check() -> None:
    look()


@dg.sensor(job=check, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=3600)
def watch():
    return dg.SkipReason("nothing happened")


defs = dg.Definitions(jobs=[check], sensors=[watch])
'''

_RATES: Final = '''\
"""One asset, a schedule that is on, one that is off, and a job that takes its time."""

import time
from pathlib import Path

import dagster as dg

HERE = {"executor_def": dg.in_process_executor}


@dg.asset
def rates() -> dict:
    return {"eur": 1.0, "chf": 0.94}


@dg.asset
def francs(rates: dict) -> float:
    return 100 * rates["chf"]


@dg.op(config_schema={"seconds": dg.Field(int, default_value=60), "until": dg.Field(str, default_value="")})
def wait_for_the_bank(context: dg.OpExecutionContext) -> None:
    seconds, until = context.op_config["seconds"], context.op_config["until"]
    for second in range(seconds):
        if until and Path(until).exists():
            break
        context.log.info(f"still waiting, {second} s")
        time.sleep(1)


@dg.job(**HERE)
def slow() -> None:
    wait_for_the_bank()


fetch = dg.define_asset_job("fetch", [rates], **HERE)
convert = dg.define_asset_job("convert", [francs], **HERE)
on, off = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
spring = dg.ScheduleDefinition(job=fetch, cron_schedule="0 4 1 4 *", name="spring", default_status=on)
autumn = dg.ScheduleDefinition(job=fetch, cron_schedule="0 4 1 10 *", name="autumn", default_status=off)
defs = dg.Definitions(assets=[rates, francs], jobs=[slow, fetch, convert], schedules=[spring, autumn])
'''


def write_repository(root: Path) -> None:
    """The team's checkout, committed to a git of its own; ``root`` is made and has to be empty."""
    texts = {
        ".gitignore": "__pycache__/\n",
        "dagster_cloud.yaml": _DAGSTER_CLOUD,
        ".github/workflows/dagster-cloud-deploy.yml": _WORKFLOW,
        "orders/setup.py": _SETUP,
        "orders/orders/__init__.py": "",
        "orders/orders/definitions.py": _ORDERS,
        "reports/requirements.txt": _REQUIREMENTS,
        "reports/reports.py": _REPORTS,
        "reports/dagster_cloud_pre_install.sh": _PRE,
        "reports/dagster_cloud_post_install.sh": _POST,
        "alerts/pyproject.toml": _PROJECT,
        "alerts/alerts.py": _ALERTS,
        "rates/requirements.txt": _REQUIREMENTS,
        "rates/rates.py": _RATES,
    }
    for name, text in texts.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if name.endswith(".sh"):
            file.chmod(0o755)
    identity = ("-c", "user.name=team", "-c", "user.email=team@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-q", "-m", "On Serverless")):
        subprocess.run(["git", *words], cwd=root, check=True)
