"""A stand-in for Pulumi's docker plugin, for machines that cannot download it.

Network, Volume, Container and RemoteImage against the real Docker engine. Names and types are those of pulumi-docker
5.2's SDK; a property that is not mapped here is an error that names it. What replaces, what is changed in place and
what is read back follows the Terraform provider that Pulumi's plugin wraps (kreuzwerker/terraform-provider-docker,
internal/provider/resource_docker_*.go).
"""
