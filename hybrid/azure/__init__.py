"""The only door to Azure for what Pulumi does not do: what an agent made, what a login may, logins to registries, logs.
Azure's libraries are no part of every installation, and are imported when they are needed."""
