"""A command imports only what it works with: nobody waits for the rest."""

import subprocess
import sys

import pytest

SLOW = ("great_expectations", "numpy", "pandas", "pyarrow", "requests", "scipy", "xlsxwriter")
PROGRAM = """
import sys
{imports}
print(*sorted(name for name in sys.modules if name in {slow}))
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import reconcile.cli.main",
        # What `runs` and `show` import.
        "import reconcile.cli.tables, reconcile.db.engine, reconcile.db.runs, reconcile.settings",
    ],
)
def test_nothing_slow_is_imported_to_show_something(imports: str) -> None:
    program = PROGRAM.format(imports=imports, slow=SLOW)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_package_of_the_client_gives_every_name_that_it_promises() -> None:
    import reconcile.kspay

    assert {getattr(reconcile.kspay, name).__name__ for name in reconcile.kspay.__all__} == {
        *reconcile.kspay.__all__
    }
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = reconcile.kspay.nothing_such
