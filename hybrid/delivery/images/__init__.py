"""Images of code locations: what goes into one, what it is called, how it is built and pushed."""
