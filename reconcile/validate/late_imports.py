"""Lets Great Expectations start without what it hardly ever uses: a second and 80 MiB of every run.

It imports scipy.stats and altair for one expectation and for pictures. Here stand-ins take their places, which import
the real modules when something of them is asked for. And while it makes its hundreds of models, each takes over the
fields of the one it rests on as far as they are its own, not with all that these refer to.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
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


@contextmanager
def importing_late() -> Iterator[None]:
    """Import a library; its seldom used modules are imported only when they are used. What it makes stays for good."""
    for name in _SELDOM:
        if name not in sys.modules:
            module = _StandIn(name)
            module.__spec__ = find_spec(name)
            sys.modules[name] = module
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, module)
    # Its thousands of classes stay: to look through them again and again for garbage finds none.
    was_on = gc.isenabled()
    gc.disable()
    try:
        with _fields_copied_flat():
            yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def _fields_copied_flat() -> Iterator[None]:
    """A model of pydantic's first version copies the fields of its base deeply: a third of the import.

    Of a field only what a class changes is copied: the field itself, its description, its validators and parts.
    """
    try:
        from pydantic.v1 import main
        from pydantic.v1.fields import ModelField
    except ImportError:  # another version: then it takes longer
        yield
        return
    names = vars(main)
    deep = names["smart_deepcopy"]

    def own(field: Any) -> Any:
        made = copy(field)
        made.field_info = copy(field.field_info)
        made.class_validators = dict(field.class_validators)
        if field.sub_fields:
            made.sub_fields = [own(part) for part in field.sub_fields]
        if field.key_field:
            made.key_field = own(field.key_field)
        return made

    def copied(value: Any) -> Any:
        if type(value) is dict and all(type(field) is ModelField for field in value.values()):
            return {name: own(field) for name, field in value.items()}
        return deep(value)

    names["smart_deepcopy"] = copied
    try:
        yield
    finally:
        names["smart_deepcopy"] = deep
