"""``wordgrad classify train | test | predict | explain``."""
