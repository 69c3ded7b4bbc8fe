"""What is stood up where: the program, the typed stack file, one file a stack."""
