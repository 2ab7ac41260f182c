"""Lets Great Expectations start without what it hardly ever uses: a second and 80 MiB of every run.

It imports scipy.stats and altair for one expectation and for pictures. Here stand-ins take their places, which import
the real modules when something of them is asked for. While it makes its hundreds of models, each takes over the fields
of the one it rests on as far as they are its own, not with all that these refer to. And of pandas'
functions that read files it makes one, not all.
"""

import gc
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
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
        with _models_made_quickly(), _one_reader():
            yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def _models_made_quickly() -> Iterator[None]:
    """A model of pydantic's first version copies the fields of its base deeply: a third of the import.

    Of a field only what a class changes is copied: the field itself, its description, its validators and parts. And it
    looks at the signature of a validator again for each field that has it.
    """
    try:
        from pydantic.v1 import class_validators, fields, main
        from pydantic.v1.fields import FieldInfo, ModelField
    except ImportError:  # another version: then it takes longer
        yield
        return
    deep = vars(main)["smart_deepcopy"]
    generic = class_validators.make_generic_validator
    field_copied, info_copied = _flat_copier(ModelField), _flat_copier(FieldInfo)

    def own(field: Any) -> Any:
        made = field_copied(field)
        made.field_info = info_copied(field.field_info)
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

    made_once = cache(generic)
    vars(main)["smart_deepcopy"] = copied
    for module in (class_validators, fields):
        vars(module)["make_generic_validator"] = made_once
    try:
        yield
    finally:
        vars(main)["smart_deepcopy"] = deep
        for module in (class_validators, fields):
            vars(module)["make_generic_validator"] = generic


def _flat_copier(kind: type) -> Callable[[Any], Any]:
    """As `copy.copy`, for objects of a class that keeps all in its slots."""
    slots = kind.__slots__  # type: ignore[attr-defined]
    read = attrgetter(*slots)
    write = [getattr(kind, slot).__set__ for slot in slots]

    def copied(value: Any) -> Any:
        if type(value) is not kind:
            return copy(value)
        made = object.__new__(kind)
        for put, part in zip(write, read(value), strict=True):
            put(made, part)
        return made

    return copied


@contextmanager
def _one_reader() -> Iterator[None]:
    """A model is made of each function of pandas that reads a file, for each kind of storage: a tenth of the import.

    No file is read by the library here. It gets one of these functions, since it warns where there is none.
    """
    import pandas

    members = inspect.getmembers

    def of_pandas(value: object, predicate: Callable[[Any], Any] | None = None) -> list[tuple[str, Any]]:
        return [("read_csv", pandas.read_csv)] if value is pandas else members(value, predicate)

    inspect.getmembers = of_pandas  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getmembers = members
