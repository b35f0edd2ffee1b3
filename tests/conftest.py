"""Settings of the whole suite."""

from hypothesis import settings

# The first example of a run also compiles kernels or loads Polars.
settings.register_profile("wordgrad", deadline=None)
settings.load_profile("wordgrad")
