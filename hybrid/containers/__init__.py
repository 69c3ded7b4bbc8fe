"""The Docker engine of this machine: found, asked and given work through Docker's own command line."""
