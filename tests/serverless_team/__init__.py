"""A team on Dagster+ Serverless to try the switch on: its repository as four locations have it there, and the embedded
organization that runs them."""
