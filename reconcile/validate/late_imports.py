"""Lets Great Expectations start without what it hardly ever uses: a second and 80 MiB of every run.

It imports scipy.stats and altair for one expectation and for pictures. Here stand-ins take their places, which import
the real modules when something of them is asked for.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_SELDOM = ("scipy.stats", "altair")


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of the import system, which asks every module
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def import_late() -> None:
    """Let the modules that are seldom used be imported when they are."""
    for name in _SELDOM:
        if name not in sys.modules:
            module = _StandIn(name)
            module.__spec__ = find_spec(name)
            sys.modules[name] = module
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, module)
