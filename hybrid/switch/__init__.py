"""An organization taken from Serverless to Hybrid, and back: what has to happen around it, step by step."""
