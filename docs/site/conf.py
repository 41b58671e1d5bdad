"""Sphinx's configuration; build.py makes its input."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

import reference  # noqa: E402
from docutils import nodes  # noqa: E402

from minilotto.version import VERSION  # noqa: E402

project = "minilotto"
author = copyright = "The minilotto developers"
version = release = VERSION
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
templates_path = [str(HERE)]
default_role = "name"

autodoc_typehints = "none"  # Parameters have them, with shapes
autodoc_member_order = "bysource"
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
toc_object_entries = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_output_stderr = "remove"
nb_merge_streams = True
suppress_warnings = ["myst.header"]  # README's first heading is followed by one of any level

html_theme = "pydata_sphinx_theme"
html_title = "minilotto"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_depth": 3,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def named(role, rawtext, text, lineno, inliner, options=None, content=()):
    """`name` in a docstring: a link where it has a page, else code."""
    env = inliner.document.settings.env
    for prefix in (env.ref_context.get("py:module"), "minilotto"):
        if f"{prefix}.{text}" in reference.documented():
            link = env.domains["py"].role("obj")
            return link("py:obj", rawtext, f"{text} <{prefix}.{text}>", lineno, inliner)
    return [nodes.literal(rawtext, text)], []


def skipped(app, what, name, value, skip, options):
    return None if skip or reference.ours(value) else True


def mathematical(app, what, name, value, options, lines):
    lines[:] = reference.plain(lines)


def setup(app):
    app.add_role("name", named)
    app.connect("autodoc-skip-member", skipped)
    app.connect("autodoc-process-docstring", mathematical, priority=400)  # before numpydoc
