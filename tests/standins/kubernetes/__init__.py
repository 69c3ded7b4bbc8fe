"""A stand-in for Pulumi's kubernetes plugin, for machines that have not the official one.

A resource's type says its API and kind, its inputs are the manifest as given. It is applied on the server's side, at a
preview as a dry run: what the API server refuses is refused there. What it lacks of the official one: charts,
kustomize, YAML components, patches, lists; and it waits for Deployments and for deletions only.
"""
