"""The location's definitions: one subject a module."""
