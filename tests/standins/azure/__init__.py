"""A STAND-IN for Azure, as far as the program of a stack, Dagster's launcher for Container Apps, the door of this
project and its drain ask it: Azure Resource Manager for one subscription and one resource group with apps, managed
identities, Key Vault's one reference, Log Analytics' one query, and the logins of Azure's registry in front of the
tests' own. `plugin` is the other part: Pulumi's azure-native plugin.

What is like Azure: addresses, methods and, of apps and jobs, the API versions of azure-mgmt-appcontainers 4.0 and of
Pulumi's SDK (anything else is refused and remembered); bodies of apps and jobs in Azure's spelling, of which unknown
keys, sizes off Azure's pairs and names beyond its limits are refused; long operations with `Azure-AsyncOperation` or
`Location`; roles, by action and scope, as they are assigned by resources, in front of every call, with the linked
actions for an environment and for identities; a secret that is read, and an image that is pulled, by the identity
that the app names for it; tokens of managed identities at `IDENTITY_ENDPOINT`, for those alone that an app has;
revisions, of which the new one starts before the old one ends; deletions that take a while, and grounds that do not
go while something stands on them.
What is not: it is this project's own reading of documentation and of the SDK, so it says nothing about times, texts
of errors, quotas, eventual consistency of roles, networks, ingress (a port that leads to another), nor whether Azure
accepts what it keeps. A container that ends is not started again, and the engine pushes to the tests' registry, not
to Azure's address. Apps and jobs are containers of the tests' Docker engine (`containers.py`), or pretended by the
test.
"""
