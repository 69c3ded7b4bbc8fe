"""A STAND-IN for Pulumi's azure-native plugin, for machines that have not the official one.

Each type is a path of Azure Resource Manager, with the API version that Pulumi's SDK names for it; what a program gives
is put there, read again and deleted. A type or a function that is not in `types.py` is an error. What it lacks of the
official one: the checks of its schema, default values, most of what makes it replace a resource, and imports.
"""
