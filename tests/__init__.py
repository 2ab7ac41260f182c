"""The tests. Where their coverage is measured, that begins here, before anything imports the product."""

from tests.support.coverage import measure

measure()
