"""Few, fixed examples for mutation testing, which runs these tests once for every mutant."""

from hypothesis import settings

settings.register_profile("mutation", deadline=None, max_examples=10, derandomize=True)
