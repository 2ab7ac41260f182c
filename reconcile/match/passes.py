"""The passes: every rule in turn, first for transactions by which money moved, then for the rest.

Matching and `reconcile explain` run this code. Explain watches it.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from reconcile.db.sql_files import read_sql, run_file

PASS_PHASES = (1, 2)
"""1: paid, refunded and unknown transactions. 2: the others, so that a failed attempt never takes an entry that a paid
one of its reference claims. SQL says which is which (`match/prepare/pass_tables`)."""


class Watcher:
    """What is called during each pass. This one does nothing."""

    def begin(self, phase: int, rule: str, /) -> None:
        """Before the rule looks at what is free."""

    def pairs_ranked(self) -> None:
        """When `candidate` holds the possible pairs of the pass, and none is taken yet."""


def run_passes(connection: Connection, rules: Sequence[str], watcher: Watcher) -> None:
    """Match what `match/prepare` laid out: what a person joined, then each rule in each phase.

    The result is in the temporary tables `taken_txn` and `taken_unit`.
    """
    run_file(connection, "match/rules/manual")
    for phase in PASS_PHASES:
        for rule in rules:
            _run_pass(connection, phase, rule, watcher)


def _run_pass(connection: Connection, phase: int, rule: str, watcher: Watcher) -> None:
    connection.execute(text(read_sql("match/pairing/begin_pass")), {"phase": phase, "rule": rule})
    watcher.begin(phase, rule)
    # Most nights bring few records, and most passes find none left: this question costs a hundredth of a pass.
    if not connection.execute(text(read_sql("match/pairing/anything_free"))).scalar_one():
        return
    run_file(connection, f"match/rules/{rule}")
    # A rule says which splits are possible, or which pairs, or both; pairing takes the best, the splits first.
    if _states(connection, "possible_split"):
        while run_file(connection, "match/pairing/take_splits"):
            pass
        connection.execute(text("drop view possible_split"))
    if _states(connection, "possible_pair"):
        run_file(connection, "match/pairing/rank")
        watcher.pairs_ranked()
        while run_file(connection, "match/pairing/take"):
            run_file(connection, "match/pairing/discard")
        connection.execute(text("drop table candidate"))
        connection.execute(text("drop view possible_pair"))


def _states(connection: Connection, view: str) -> bool:
    found = connection.execute(text("select to_regclass('pg_temp.' || :view)"), {"view": view})
    return found.scalar_one() is not None
