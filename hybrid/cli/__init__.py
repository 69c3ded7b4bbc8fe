"""The command line ``hybrid``: one module a noun; it prints and exits, the work is done elsewhere."""
