"""The interfaces of other programs, over this package's own."""
