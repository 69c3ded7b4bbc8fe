"""What a change would do to every stack that it touches: gathered from git, the engine and Dagster+; said as a value,
as Markdown and as JSON. It reads only."""
