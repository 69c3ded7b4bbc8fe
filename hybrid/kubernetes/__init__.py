"""The only door to a cluster for what Pulumi does not do: looking at what stands, what an agent's launcher made, logs,
why a pod does not run, what one may do. It also holds facts of Kubernetes that several rooms need. Nothing here imports
pulumi; the `kubernetes` client is imported when it is first used."""
