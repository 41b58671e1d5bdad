"""Pages of the API reference: one for each public name, listed by module."""

import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import ModuleType

import minilotto as ml

if importlib.util.find_spec("sphinx") and not importlib.util.find_spec(
    "torch"
):  # gigabytes, for one page
    from sphinx.ext.autodoc.mock import _MockModule

    torch = sys.modules["torch"] = _MockModule("torch")
    torch.__version__ = "99"
    importlib.import_module("minilotto.interop.to_torch")
    del sys.modules["torch"]  # SciPy asks it for more

# Names of `minilotto` itself, in the order of their page.
OWN = {
    "Training": "Config train Ensemble History load Dataset Parameters",
    "Losses, gradients and outputs": "loss_and_gradient predict jacobian hessian residuals "
    "residual_jacobian pack unpack",
    "Sweeps": "Sweep sweep Store open_store",
    "Tables": "ACTIVATIONS TASKS SCHEMES OPTIMIZERS SCHEDULES Activation Task register_task",
    "Errors": "MinilottoError ConfigError DataError FileError UnusableFileError "
    "MissingExtraError ResourceError SweepError TrainingInterrupted SweepInterrupted",
    "Version": "__version__",
}
DATA = {
    "ACTIVATIONS": "Activation functions by name, each an `Activation`: ",
    "TASKS": "Targets by name, each a `Task`; `register_task` adds one: ",
    "SCHEMES": "Initialisations by name: ",
    "OPTIMIZERS": "Optimisers by name: ",
    "SCHEDULES": "Schedules of the learning rate by name: ",
    "__version__": "The version, a str.",
}
PACKAGES = {
    "minilotto.analysis.stats": "Statistics of losses",
    "minilotto.analysis.tickets": "Tickets and algorithms",
    "minilotto.analysis.ensembling": "Ensembling",
    "minilotto.analysis.landscape": "The loss near trained nets",
    "minilotto.interop": "Other programs",
    "minilotto.ensemble.distillation": "Distillation",
    "minilotto.kernels.single": "Inside compiled functions",
    "minilotto.training.estimator": "For scikit-learn",
}


def modules_of(package: str) -> list[str]:
    """Names of a package's modules; a module's own."""
    path = getattr(importlib.import_module(package), "__path__", None)
    if path is None:
        return [package]
    return [found.name for found in pkgutil.walk_packages(path, f"{package}.") if not found.ispkg]


def names_of(module: ModuleType) -> list[str]:
    """Public functions and classes: those of __all__, else those that the module defines."""
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    return [name for name in getattr(module, "__all__", own) if callable(getattr(module, name))]


def ours(member: object) -> bool:
    """Whether a member of a class is neither another package's nor a field of a NamedTuple, whose
    docstring says nothing.
    """
    function = getattr(member, "fget", None) or getattr(member, "func", None) or member
    return (getattr(function, "__module__", None) or "minilotto").startswith("minilotto") and (
        type(member).__module__ != "_collections"
    )


@lru_cache
def documented() -> dict[str, object]:
    """By its full name everything that has a page, methods and properties of classes included."""
    owners = [(ml, ml.__all__)]
    for name in (name for package in PACKAGES for name in modules_of(package)):
        try:
            module = importlib.import_module(name)
        except ml.MissingExtraError:  # where the site is built, everything is installed
            continue
        owners.append((module, names_of(module)))
    found: dict[str, object] = {}
    for module, names in owners:
        for name in names:
            value = found[f"{module.__name__}.{name}"] = getattr(module, name)
            for member in dir(value) if isinstance(value, type) else ():
                static = inspect.getattr_static(value, member)
                documentation = inspect.getdoc(getattr(value, member, None))
                if not member.startswith("_") and documentation and ours(static):
                    found[f"{module.__name__}.{name}.{member}"] = static
    return found


def plain(lines: list[str]) -> list[str]:
    """A docstring in which |x| and a * b stay what they are, outside of its examples."""
    example, found = False, []
    for line in lines:
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        escaped = re.sub(r"\||(?<=[\w (])\*(?=[ \w/])", r"\\\g<0>", line)
        found.append(line if example else escaped)
    return found


def heading(text: str, mark: str) -> str:
    return f"{text}\n{mark * len(text)}\n\n"


def summary(module: str, names: list[str], toctree: str = "generated") -> str:
    """A table of names, each with a page."""
    rows = "".join(f"   {name}\n" for name in names)
    return (
        f".. currentmodule:: {module}\n\n.. autosummary::\n   :toctree: {toctree}\n"
        f"   :nosignatures:\n\n{rows}\n"
    )


def module_section(name: str) -> str:
    """What a module is for, and its table; nothing where it has no public names."""
    module = importlib.import_module(name)
    if not names_of(module):
        return ""
    text = "\n".join(plain((inspect.getdoc(module) or "").splitlines()))
    title = heading(name.rpartition(".")[2], "-")
    return f"{title}``{name}``\n\n{text}\n\n{summary(name, names_of(module))}"


def data_page(name: str) -> str:
    value = getattr(ml, name)
    listed = "" if isinstance(value, str) else ", ".join(f"``{key}``" for key in value) + "."
    return heading(name, "=") + f".. py:data:: minilotto.{name}\n\n   {DATA[name]}{listed}\n"


def pages() -> Iterator[tuple[str, str]]:
    """File names and texts."""
    own = heading("minilotto", "=") + "``import minilotto as ml``\n\n"
    for title, names in OWN.items():
        own += heading(title, "-")
        functions = [name for name in names.split() if name not in DATA]
        data = [name for name in names.split() if name in DATA]
        own += "".join(f"* :doc:`minilotto.{name} <generated/minilotto.{name}>`\n" for name in data)
        own += "\n" + (summary("minilotto", functions) if functions else "")
    hidden = "".join(f"   generated/minilotto.{name}\n" for name in DATA)
    yield "minilotto.rst", own + f".. toctree::\n   :hidden:\n\n{hidden}"
    for name in DATA:
        yield f"generated/minilotto.{name}.rst", data_page(name)
    for package, title in PACKAGES.items():
        sections = "".join(map(module_section, modules_of(package)))
        yield f"{package}.rst", heading(title, "=") + sections
    rows = "".join(f"   {name}\n" for name in ("minilotto", *PACKAGES, "commands"))
    yield "index.rst", heading("Reference", "=") + f".. toctree::\n   :maxdepth: 1\n\n{rows}"
