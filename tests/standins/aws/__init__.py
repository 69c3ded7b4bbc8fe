"""A stand-in for Pulumi's aws plugin, for machines that cannot download it.

It drives HashiCorp's AWS provider, an executable that speaks Terraform's plugin protocol 5, so plans, diffs, reasons to
replace, waits and calls to AWS are the real ones; names and nesting are those of pulumi-aws's SDK. Only the types in
``catalog`` are served, each with its Terraform type written by hand. A property that does not pair is an error that
names it.

What pulumi-aws lays down beside HashiCorp's provider (made-up names, what is deleted before it is replaced) is taken
from its provider/resource_overrides.go and provider/autonaming.go of version 7. The provider that is at hand may be
older than the SDK: what it lacks cannot be tried with this stand-in.
"""
