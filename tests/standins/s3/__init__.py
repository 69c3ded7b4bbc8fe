"""S3 as far as moto has it otherwise, and what can go wrong on the way to it."""
