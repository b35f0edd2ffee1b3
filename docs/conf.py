"""Settings of the documentation as a site: ``sphinx-build -W docs site`` builds it.

Tutorials are executed while it is built, formulas become pictures (``_extensions/formulas.py``),
and every link is followed when it is done (``_extensions/links.py``).  Nothing is fetched, neither
by the build nor by who reads the pages.
"""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
os.environ.pop("MPLBACKEND", None)  # pictures belong into the pages

project = "wordgrad"
author = "the authors of wordgrad"
copyright = author
release = installed_version("wordgrad")
version = release

extensions = [
    "formulas",
    "links",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_design",
]
exclude_patterns = ["_*"]
root_doc = "index"
# Bare backticks in docstrings are names of arguments, not references.
default_role = "code"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 600  # the slowest cell takes some seconds, on a machine that is not busy
nb_merge_streams = True
nb_output_stderr = "remove"  # messages of progress
suppress_warnings = ["myst-nb.lexer"]  # cells that are not executed have no colours
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # by default fetched from a server

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say them, with shapes
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "wordgrad"
html_math_renderer = "formulas"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_sidebars = {"changelog": [], "contributing": [], "index": []}
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
