"""Dagster+ embedded: what agents, code servers, run workers and the API's clients need, on this machine."""
