"""Great Expectations starts without what it seldom uses, and has it where it uses it."""

import subprocess
import sys

PROGRAM = """
import sys
from reconcile.validate.late_imports import import_late

import_late()
import great_expectations

print(sorted(name for name in ("altair.vegalite", "scipy.stats._stats_py") if name in sys.modules))
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as divergence

print(divergence.stats.entropy([0.5, 0.5], [0.5, 0.5]), divergence.alt.Chart.__name__)
import altair
import scipy.stats

print(altair.Chart is divergence.alt.Chart, scipy.stats.entropy is divergence.stats.entropy)
"""


def test_modules_of_one_expectation_are_imported_when_it_asks_for_them() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "0.0 Chart", "True True"]
