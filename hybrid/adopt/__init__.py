"""An organization and an agent that are there already, read and said as a stack file. Nothing here changes anything
but files of the checkout, and none of those that exist."""
