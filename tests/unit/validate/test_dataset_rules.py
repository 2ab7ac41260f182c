"""A batch that is mostly broken stops the run."""

import pytest

from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.validate.dataset_rules import validate_batch
from reconcile.validate.rules import Batch
from reconcile.validate.validator import Validator


@pytest.mark.parametrize("suite", ["transactions", "entries"])
def test_a_batch_that_is_mostly_broken_blocks(suite: str) -> None:
    validator = Validator(Currencies())
    assert validate_batch(validator, suite, "it", Batch(100, 50, 0, 0)) == ()
    assert validate_batch(validator, suite, "it", Batch(99, 99, 0, 0)) == ()
    with pytest.raises(InputRefused, match="it: 51 of 100 records cannot be used, more than half"):
        validate_batch(validator, suite, "it", Batch(100, 51, 0, 0))
