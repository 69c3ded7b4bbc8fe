"""The only room that drives Pulumi's engine: where state lies, who may update, the program, and what is reported.

It runs the same program as ``pulumi up`` in the repository's root, but inline (the CLI calls back into this process
for the program), which saves the start of a language host. Besides the program itself nothing else imports ``stacks``.
"""
