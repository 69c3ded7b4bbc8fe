"""The only door to AWS for what Pulumi does not do: looking at what stands, what an agent made, logs, logins. It also
holds facts of AWS that several rooms need. Nothing here imports pulumi; boto3 is imported when it is first used."""
