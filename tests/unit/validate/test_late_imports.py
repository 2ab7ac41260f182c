"""Great Expectations starts without what it seldom uses, and has it where it uses it."""

import subprocess
import sys
from collections.abc import Sequence

IMPORT = """
from reconcile.validate import late_imports

with late_imports.importing_late():
    import great_expectations
"""
SELDOM = """
import sys

print(sorted(name for name in ("altair.vegalite", "scipy.stats._stats_py") if name in sys.modules))
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as divergence

print(divergence.stats.entropy([0.5, 0.5], [0.5, 0.5]), divergence.alt.Chart.__name__)
import altair
import scipy.stats

print(altair.Chart is divergence.alt.Chart, scipy.stats.entropy is divergence.stats.entropy)
"""
AS_USUAL = """
from contextlib import nullcontext

assert callable(late_imports._models_made_quickly)
late_imports._models_made_quickly = nullcontext
"""
MODELS = """
import re

from pydantic.v1 import BaseModel

def below(model):
    for each in model.__subclasses__():
        yield each
        yield from below(each)

facts = []
for model in set(below(BaseModel)):
    for field in model.__fields__.values():
        checks = [getattr(check, "__qualname__", "") for check in field.validators or ()]
        facts.append(f"{model.__qualname__} {field!r} {field.field_info!r} {sorted(field.class_validators)} {checks}")
    try:
        facts.append(model.schema_json())
    except (TypeError, ValueError):
        pass
print(*sorted(re.sub(" at 0x[0-9a-f]+", "", fact) for fact in facts), sep="\\n")
"""


def said(program: str) -> Sequence[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_it_has_all_that_a_usual_import_has() -> None:
    """The modules of one expectation are imported when it asks for them. The models are the same, one reader of files
    aside."""
    begin, import_it = IMPORT.split("\n\n")
    *models, at_first, asked_for, the_same = said(IMPORT + MODELS + SELDOM)
    assert (at_first, asked_for, the_same) == ("[]", "0.0 Chart", "True True")
    assert len(models) > 1000
    assert models == said(f"{begin}\n{AS_USUAL}\n{import_it}{MODELS}")
