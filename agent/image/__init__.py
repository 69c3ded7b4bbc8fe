"""The Docker agent's image: what is copied into it, and from what it is built."""
