"""What is known about a code location in seconds, before minutes are spent on its image: one gate for `up`, CI and the
switch."""
