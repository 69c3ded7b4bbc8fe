"""Daylight at four observatories, loaded by dlt into a warehouse."""
