"""All suites: what is demanded of a transaction, of an entry and of a result before it may be used.

Read from top to bottom; each line says what it demands of which column, what happens where it is broken, and why it is
there. The columns are those of the views in sql/validate/staged_*.sql. `reconcile validate --suites DIR` writes the
suites as Great Expectations' own JSON. What a merchant adds comes from [[expect]] in reconcile.toml.

First come the suites of single records, then what is seen only in a whole: a batch, a day, a currency, a run.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from reconcile.core.money import Currencies
from reconcile.core.records import Family, Side
from reconcile.db.sql_files import sql_names
from reconcile.validate.rules import Rule, Weight

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "transactions": {
        "app_id": "appId",
        "transaction_id": "id",
        "reference": "referenceNumber",
        "currency": "currencyCode",
        "amount": "amount",
        "status": "status",
        "created_at": "createdAt",
        "updated_at": "updatedAt",
        "provider_order_id": "providerOrderId",
        "provider_txn_id": "providerTxnId",
        "payment_method": "paymentType",
        "provider_name": "providerName",
        "provider_status": "providerStatus",
    },
    "entries": {
        "app_id": "app_id",
        "source": "source",
        "ledger_id": "ledger_id",
        "reference": "reference",
        "currency": "currency",
        "amount": "amount",
        "status": "status",
        "date": "date",
        "transaction_id": "transaction_id",
        "provider_order_id": "provider_order_id",
        "provider_txn_id": "provider_txn_id",
        "description": "description",
    },
}
"""By suite, the columns that an expectation may look at, and the field of the source that each was read from."""

_MOST = 10**12

Families = Mapping[tuple[Side, str], Family]
"""By side and word of a status, its family."""


def rules(
    suite: str, currencies: Currencies, families: Families, own: Iterable[Rule] = ()
) -> tuple[Rule, ...]:
    """The suite `transactions` or `entries`, with the merchant's own expectations at its end."""
    kspay = suite == "transactions"
    side = Side.KSPAY if kspay else Side.LEDGER
    words = sorted(word for of, word in families if of == side)
    return (*_of_both(suite, currencies, words), *(_OF_TRANSACTIONS if kspay else _OF_ENTRIES), *own)


def _of_record(
    suite: str, name: str, weight: Weight, expectation: str, reason: str, why: str, **arguments: object
) -> Rule:
    column = str(arguments.get("column") or arguments["column_A"])
    return Rule(name, weight, expectation, arguments, why, COLUMNS[suite][column], reason)


def _of_both(suite: str, currencies: Currencies, words: Sequence[str]) -> tuple[Rule, ...]:
    """What is demanded of transactions and entries alike; `words` are the statuses that have a family."""
    record_id = "transaction_id" if suite == "transactions" else "ledger_id"
    return (
        _of_record(
            suite,
            "id_present",
            Weight.QUARANTINES,
            "ExpectColumnValuesToNotBeNull",
            "is missing",
            "A record without an id can be neither updated nor matched twice over safely.",
            column=record_id,
        ),
        _of_record(
            suite,
            "currency_known",
            Weight.QUARANTINES,
            "ExpectColumnValuesToBeInSet",
            "is neither an ISO 4217 code nor one of [currencies] in reconcile.toml",
            "Without its currency's minor unit an amount can be neither compared nor written.",
            column="currency",
            value_set=sorted(currencies.digits),
        ),
        _of_record(
            suite,
            "amount_fits_currency",
            Weight.QUARANTINES,
            "ExpectAmountsToFitTheirCurrency",
            "has more decimals than its currency",
            "There is no tenth of a paisa: such an amount is computed or read wrongly; it is not rounded.",
            column_A="amount",
            column_B="currency",
            digits=dict(sorted(currencies.digits.items())),
        ),
        _of_record(
            suite,
            "amount_within_bound",
            Weight.WARNS,
            "ExpectColumnValuesToBeBetween",
            f"is beyond {_MOST:,}",
            "No payment is of a trillion: such an amount is in another unit, or an id was read for it.",
            column="amount",
            min_value=-_MOST,
            max_value=_MOST,
        ),
        _of_record(
            suite,
            "status_known",
            Weight.WARNS,
            "ExpectStatusesToBeKnown",
            "is of no family of statuses",
            "A new word of a source is a change that people should hear of; [status] gives it its family.",
            column="status",
            words=words,
        ),
    )


_OF_TRANSACTIONS = (
    _of_record(
        "transactions",
        "amount_not_negative",
        Weight.QUARANTINES,
        "ExpectColumnValuesToBeBetween",
        "is negative",
        "KS Pay shows a refund by its status, never by a negative amount.",
        column="amount",
        min_value=0,
    ),
    _of_record(
        "transactions",
        "created_since_2000",
        Weight.WARNS,
        "ExpectColumnValuesToBeBetween",
        "is before the year 2000",
        "A payment older than KS Pay itself carries a default, such as 1970-01-01, for its time.",
        column="created_at",
        min_value=datetime(2000, 1, 1, tzinfo=UTC),
    ),
    _of_record(
        "transactions",
        "id_has_prefix",
        Weight.WARNS,
        "ExpectColumnValuesToMatchRegex",
        "does not begin with tx_",
        "KS Pay's ids begin so; other ones are usable, but a change that people should hear of.",
        column="transaction_id",
        regex="^tx_",
    ),
)

# An entry's amount may have any sign: a negative one books a refund.
_OF_ENTRIES = (
    _of_record(
        "entries",
        "dated_since_2000",
        Weight.WARNS,
        "ExpectColumnValuesToBeBetween",
        "is before the year 2000",
        "A ledger of such days was read in another order of day, month and year, or has a default for a date.",
        column="date",
        min_value=date(2000, 1, 1),
    ),
    _of_record(
        "entries",
        "names_a_transaction",
        Weight.WARNS,
        "ExpectColumnValuesToMatchRegex",
        "does not begin with tx_",
        "KS Pay's ids begin so; another column may have been taken for the one that names the transaction.",
        column="transaction_id",
        regex="^tx_",
    ),
)


FEW = 100
"""Records; of fewer no share says anything."""

THOUSANDS = 1000
TIMES = 5


def _of_dataset(name: str, weight: Weight, reason: str, why: str, **arguments: object) -> Rule:
    expectation = str(arguments.pop("expectation", "ExpectColumnValuesToBeBetween"))
    return Rule(name, weight, expectation, arguments, why, reason=reason)


def _at_least(least: int, column: str) -> dict[str, object]:
    """The condition that a column holds at least so much, as Great Expectations writes it in JSON."""
    return {"type": "comparison", "column": {"name": column}, "operator": ">=", "parameter": least}


MOSTLY_USABLE = _of_dataset(
    "mostly_usable",
    Weight.BLOCKS,
    "more than half of the records cannot be used",
    "Where most records are broken the file or the answer is, and the rest of it is not to be trusted either.",
    column="percent_unusable",
    max_value=50,
    row_condition=_at_least(FEW, "records"),
)
SNAPSHOT_KEEPS_MOST = _of_dataset(
    "snapshot_keeps_most",
    Weight.BLOCKS,
    "lacks more than half of the entries of the days that it spans",
    "A snapshot withdraws what it lacks, and one that lacks most is rather a file that was cut off.",
    column="percent_withdrawn",
    max_value=50,
    row_condition=_at_least(FEW, "in_force"),
)
_DAYS = (
    _of_dataset(
        "day_not_empty",
        Weight.WARNS,
        "no record, where the days before had thousands",
        "A day without any record is far more often a lost export than a day without trade.",
        column="records",
        min_value=1,
        row_condition=_at_least(THOUSANDS, "usual"),
    ),
    _of_dataset(
        "volume_usual",
        Weight.WARNS,
        f"more than {TIMES} times as many or as few records as usual",
        "A part of a day, or a day imported twice under other ids, shows in its number of records first.",
        column="percent_of_usual",
        min_value=100 // TIMES,
        max_value=100 * TIMES,
        row_condition=_at_least(FEW, "usual_of_a_day_with_records"),
    ),
)
_CURRENCIES = (
    _of_dataset(
        "currency_seen_before",
        Weight.WARNS,
        "was never seen before",
        "A new currency is a new market, or a column that was read wrongly.",
        column="currency_before",
        min_value=1,
        row_condition=_at_least(1, "app_before"),
    ),
)
_RESULTS = (
    _of_dataset(
        "something_matches",
        Weight.WARNS,
        "hardly any record of the two books matches",
        "Two books of one merchant have most in common; where nothing matches, one of them is another's.",
        column="percent_matched",
        min_value=10,
        row_condition=_at_least(FEW, "paid_of_smaller_book"),
    ),
    _of_dataset(
        "discrepancy_ids_unique",
        Weight.BLOCKS,
        "one discrepancy id stands at two discrepancies",
        "Decisions come back by the id: it must lead to one discrepancy, and no other.",
        expectation="ExpectColumnPairValuesToBeEqual",
        column_A="discrepancies",
        column_B="discrepancy_ids",
    ),
)


def _dataset_rules() -> dict[str, dict[str, tuple[Rule, ...]]]:
    checks = tuple(
        _of_dataset(
            name.rpartition("/")[2],
            Weight.BLOCKS,
            "records break this check",
            "Every record has one outcome and every total is conserved: sql/match/checks/ says how.",
            column=name.rpartition("/")[2],
            max_value=0,
        )
        for name in sql_names("match/checks")
    )
    sides = {"day": _DAYS, "currency": _CURRENCIES}
    return {
        "transactions": {"batch": (MOSTLY_USABLE,), **sides},
        "entries": {"batch": (MOSTLY_USABLE, SNAPSHOT_KEEPS_MOST), **sides},
        "results": {"run": (*checks, *_RESULTS)},
    }


RULES = _dataset_rules()
"""By suite, and by what they validate (`batch`, `day`, `currency` or `run`), the rules of datasets."""


def names() -> frozenset[str]:
    """The names of all rules but the merchant's."""
    of_records = (rule for suite in COLUMNS for rule in rules(suite, Currencies(), {}))
    of_datasets = (rule for parts in RULES.values() for found in parts.values() for rule in found)
    return frozenset(rule.name for rule in (*of_records, *of_datasets))
