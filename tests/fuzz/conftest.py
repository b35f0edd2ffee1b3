"""What is run, and not collected."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("atheris") else ["guided_child.py"]
