"""What a Hybrid agent is, and the places where it can live."""
