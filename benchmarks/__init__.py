"""Figures of speed and memory, each beside its peer in the same run. ``make bench`` prints them as Markdown."""
