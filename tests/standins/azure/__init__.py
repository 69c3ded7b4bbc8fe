"""A STAND-IN for Azure Resource Manager, as far as Dagster's launcher for Container Apps, the door of this project and
its drain ask it: one subscription, one resource group, one Container Apps environment.

What is like Azure: addresses, methods and the API version of azure-mgmt-appcontainers 4.0 (anything else is refused and
remembered); bodies in Azure's spelling, of which unknown keys, sizes off Azure's pairs and names beyond its limits are
refused; long operations with `Azure-AsyncOperation` or `Location`; roles, by action and scope, in front of every call,
with the linked actions for an environment and for identities; tokens of a managed identity at `IDENTITY_ENDPOINT`, by
the client id that is asked for; deletions that take a while.
What is not: it is this project's own reading of documentation and of the SDK, so it says nothing about times, texts of
errors, quotas, eventual consistency of roles, ingress, images (none is pulled) or Log Analytics. Apps and jobs are
processes of this machine, each app on a loopback address of its own with a forwarder for the ingress.
"""
