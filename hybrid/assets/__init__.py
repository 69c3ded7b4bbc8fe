"""Stored asset values of a deployment: which there are, copied to the team's own storage, verified, and told."""
