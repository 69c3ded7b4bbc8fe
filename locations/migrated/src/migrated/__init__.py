"""A stationery shop's three pipelines, which came from Airflow, Prefect and cron."""
