"""The tools that must be on a machine: found, downloaded or built, and kept in one place."""
