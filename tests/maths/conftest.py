"""Hypothesis on a busy machine: no deadline; and few, fixed examples for mutation testing."""

from hypothesis import settings

settings.register_profile("maths", deadline=None)
settings.register_profile("mutation", deadline=None, max_examples=10, derandomize=True)
settings.load_profile("maths")
