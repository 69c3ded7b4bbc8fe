"""A Docker engine, a registry with a password and a base image for tests, on a machine that may have none of them.

``python -m tests.containers up|status|down|official`` by hand; the fixture ``containers`` in tests.
"""
