"""What the commands do otherwise on each platform, one module a platform: logs, a shell, what stands there, what it
costs. Everything else of a command is the same for all. Where agents live in a program is ``stacks``' own."""
