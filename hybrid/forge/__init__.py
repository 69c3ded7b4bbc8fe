"""The only door to where the repository is hosted (GitHub, GitLab): pull requests, comments, issues; and which CI this
process runs in."""
