"""What CI does with a change: branch deployments of pull requests, deploys in order, drift at night."""
