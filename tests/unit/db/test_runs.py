"""What is said about a failure that is no fault of ours."""

from psycopg.errors import OutOfMemory
from psycopg.pq import DiagnosticField

from reconcile.db.runs import mishap


def test_too_few_locks_in_the_language_of_the_server() -> None:
    says = "Shared Memory aufgebraucht"
    hint = "Sie müssen möglicherweise »max_locks_per_transaction« erhöhen."
    full = OutOfMemory(says, info={DiagnosticField.MESSAGE_HINT: hint.encode()})
    assert str(mishap(full)).startswith(
        "the database has room for too few locks: set max_locks_per_transaction"
    )


def test_another_lack_of_memory_is_not_one_of_locks() -> None:
    for says, hint in (
        ("out of shared memory", None),
        ("out of shared memory", b"You might need to increase max_pred_locks_per_transaction."),
        ("out of memory", None),
    ):
        assert mishap(OutOfMemory(says, info={DiagnosticField.MESSAGE_HINT: hint})) is None
