"""Every column of every file, in the order of the file, with what it means and how it is written.

The one place of both: the writers take the order from here; the sheet Columns of the workbook, the page and the docs
take the meanings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How the values of a column are written."""

    TEXT = "text"
    SEVERAL = "text; several values with ; between"
    AMOUNT = "decimal, in the currency's major unit"
    NUMBER = "whole number"
    DAY = "day, YYYY-MM-DD"
    INSTANT = "UTC time, YYYY-MM-DDTHH:MM:SSZ"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one or several files."""

    name: str
    meaning: str
    """One sentence for people."""
    form: Form = Form.TEXT


_APP = Column("app_id", "The app at KS Pay that the record belongs to.")
_TYPE = Column("type", "What is wrong, as a word: one of the discrepancy types.")
_CURRENCY = Column(
    "currency", "The currency, ISO 4217; where the two sides differ, both with ; between, KS Pay's first."
)
_KSPAY_AMOUNT = Column(
    "kspay_amount", "The amount at KS Pay; of several transactions, their sum.", Form.AMOUNT
)
_LEDGER_AMOUNT = Column(
    "ledger_amount", "The amount in the ledger; of several entries, their sum.", Form.AMOUNT
)
_KSPAY_DATE = Column(
    "kspay_date", "The business date of the transaction; of several, the earliest.", Form.DAY
)
_LEDGER_DATE = Column("ledger_date", "The business date of the entry; of several, the earliest.", Form.DAY)
_KSPAY_STATUS = Column("kspay_status", "The status at KS Pay, as KS Pay writes it.")
_LEDGER_STATUS = Column("ledger_status", "The status in the ledger, as the ledger writes it.")
_RULE = Column("rule", "The matching rule that joined the records; empty if they are not matched.")
_COUNT = Column(
    "count",
    "How many items are open at the opening or the closing; in between, how many more, or fewer with a minus.",
    Form.NUMBER,
)
_AT_STAKE = Column(
    "amount",
    "What is at stake at the opening or the closing; in between, how much more, or less with a minus.",
    Form.AMOUNT,
)

_DISCREPANCY = (
    Column("discrepancy_id", "The id of the discrepancy; it stays the same from run to run."),
    _TYPE,
    Column("severity", "How much it matters: high, medium, low or info."),
    Column(
        "status",
        "It is open, reopened (its facts changed after a decision), or resolved (a decision covers it).",
    ),
    Column(
        "age_days",
        "The days from the business date of its earliest record to the last day of the period.",
        Form.NUMBER,
    ),
    Column(
        "first_seen",
        "The earliest day as of which a run reported it. A run is as of the last day of its period.",
        Form.DAY,
    ),
    _APP,
    Column("transaction_id", "The id of the transaction at KS Pay.", Form.SEVERAL),
    Column(
        "ledger_id",
        "Your id of the ledger entry; written source:id if several sources hold the same id.",
        Form.SEVERAL,
    ),
    Column("reference", "The reference number at KS Pay.", Form.SEVERAL),
    Column("ledger_reference", "The reference in the ledger.", Form.SEVERAL),
    Column("provider_order_id", "The order id of the payment provider.", Form.SEVERAL),
    Column("provider_txn_id", "The transaction id of the payment provider.", Form.SEVERAL),
    _CURRENCY,
    _KSPAY_AMOUNT,
    _LEDGER_AMOUNT,
    Column(
        "difference",
        "kspay_amount minus ledger_amount, where a missing side counts as 0; empty if the currencies differ.",
        Form.AMOUNT,
    ),
    _KSPAY_STATUS,
    _LEDGER_STATUS,
    _KSPAY_DATE,
    _LEDGER_DATE,
    Column("payment_method", "The payment method (paymentType) at KS Pay."),
    _RULE,
    Column(
        "suggested_counterpart",
        "The id of what may be its partner on the other side, of a batch of payments all ids; detail says why.",
    ),
    Column("detail", "What is wrong, in one sentence."),
    Column(
        "facts", "A short word that changes when anything changes that a decision about the row rests on."
    ),
    Column("resolution", "For your decision: accept, write_off, ignore, match, match: with ids, or reopen."),
    Column("note", "For your note: why you decided, or what you found out."),
    Column(
        "kspay_refunded",
        "What KS Pay says was given back; empty where it says only that it was a part. Only of a REFUND_MISMATCH.",
        Form.AMOUNT,
    ),
    Column(
        "ledger_refunded",
        "What the refunds in the ledger add up to. Only of a REFUND_MISMATCH.",
        Form.AMOUNT,
    ),
    Column("assignee", "For a name: who looks after it. A - takes the name away. It decides nothing."),
    Column("due", "For a day: until when. A - takes the day away. It decides nothing.", Form.DAY),
)

FILES: Mapping[str, Sequence[Column]] = {
    "discrepancies.csv": _DISCREPANCY,
    "resolved.csv": (
        *_DISCREPANCY,
        Column("by", "Who decided."),
        Column("at", "When the decision was taken in.", Form.INSTANT),
    ),
    "matched.csv": (
        Column("match_id", "The id of the match; it comes from the ids of its records alone."),
        _RULE,
        Column("transaction_ids", "The ids of its transactions at KS Pay.", Form.SEVERAL),
        Column(
            "ledger_ids",
            "Your ids of its ledger entries; written source:id if several sources hold the same id.",
            Form.SEVERAL,
        ),
        _CURRENCY,
        _KSPAY_AMOUNT,
        _LEDGER_AMOUNT,
        Column("variance", "kspay_amount minus ledger_amount; empty if the currencies differ.", Form.AMOUNT),
        _KSPAY_DATE,
        _LEDGER_DATE,
        Column(
            "fee",
            "The expected fee, where the ledger books the amount less it; variance minus fee is what the tolerance let "
            "pass.",
            Form.AMOUNT,
        ),
    ),
    "bridge.csv": (
        Column("currency", "The currency of the line, ISO 4217."),
        Column("line", "The line of the bridge from the KS Pay total to the ledger total of the period."),
        Column("amount", "What the records add to the line; KS Pay's are taken off.", Form.AMOUNT),
        _APP,
        Column("transaction_ids", "The ids of the transactions at KS Pay.", Form.SEVERAL),
        Column(
            "ledger_ids",
            "Your ids of the ledger entries; written source:id if several sources hold the same id.",
            Form.SEVERAL,
        ),
        _KSPAY_STATUS,
        _LEDGER_STATUS,
        _KSPAY_DATE,
        _LEDGER_DATE,
    ),
    "summary.csv": (
        Column(
            "scope",
            "period: records dated in the period; carried: earlier ones that discrepancies.csv or resolved.csv lists.",
        ),
        Column("side", "kspay or ledger: whose records these are."),
        Column("currency", "The currency of the records, ISO 4217; empty if it is not known."),
        Column("outcome", "What became of the records; total adds up the rows above it."),
        Column("count", "How many records these are.", Form.NUMBER),
        Column("amount", "What they add up to; a quarantined record counts as 0.", Form.AMOUNT),
    ),
    "quarantine.csv": (
        Column("side", "kspay or ledger: whose records these are."),
        Column("source", "Where the record comes from: kspay, or the name of the ledger's profile."),
        Column("file", "The file that held the record, or the call to KS Pay that brought it."),
        Column(
            "row", "The row in the file as a spreadsheet counts it, or the place in the page.", Form.NUMBER
        ),
        Column("field", "The field that is at fault, as its source names it."),
        Column("value", "What the field holds."),
        Column("reason", "Why the record cannot be used."),
        Column("raw", "The whole record as it came."),
    ),
    "statement-MONTH.csv": (
        _APP,
        Column("currency", "The currency of the items, ISO 4217; empty if it is not known."),
        Column("line", "The line of the close statement, from opening to closing."),
        Column("items", "How many discrepancies, or movements of them, the line sums up.", Form.NUMBER),
        _COUNT,
        _AT_STAKE,
    ),
    "statement-MONTH-items.csv": (
        Column("line", "The line of the close statement that the item stands behind."),
        Column("discrepancy_id", "The id of the discrepancy; it stays the same from run to run."),
        _TYPE,
        _APP,
        Column("currency", "The currency of the items, ISO 4217; empty if it is not known."),
        _COUNT,
        _AT_STAKE,
        Column(
            "run_id",
            "The run that saw the movement, or whose open items are those of the opening or closing.",
        ),
        Column("as_of", "The last day of the period of that run.", Form.DAY),
        Column("decision", "The decision behind the movement, if a person made it."),
        Column("by", "Who decided."),
        Column("side", "kspay or ledger: whose record the item is about."),
        Column("record", "The id of that record; of a match, of its first transaction."),
        Column("note", "The newest note when the closing run ended."),
    ),
    "statement-MONTH-signoff.csv": (
        Column("role", "preparer: who took decisions of the month; approver: who closed it."),
        Column("name", "The name in the audit trail; empty of an approver while the month is not closed."),
        Column("decisions", "Of a preparer, how many of the decisions in the statement.", Form.NUMBER),
        Column("at", "Of an approver, when the month was closed.", Form.INSTANT),
    ),
    "journal-MONTH-N.csv": (
        Column("date", "The day to book on: the last of the month.", Form.DAY),
        Column("account", "The account, as [journal] in reconcile.toml names it."),
        Column("debit", "What is debited on the account.", Form.AMOUNT),
        Column("credit", "What is credited on the account.", Form.AMOUNT),
        Column("reference", "The reference at KS Pay, else that in the ledger, else the id of the record."),
        Column("narration", "What was decided, of what, by whom, and the note."),
        Column("decision_id", "The number of the decision in the audit trail.", Form.NUMBER),
        Column("currency", "The currency of the amounts, ISO 4217."),
        Column("journal", "The month, and which export of it."),
        _APP,
        Column("ledger_id", "The entry that the line changes or makes."),
        Column("amount", "What the entry says after it.", Form.AMOUNT),
        Column("entry_date", "The day or the time of the entry."),
        Column("status", "The status of the entry after it."),
        Column("entry_reference", "The reference of the entry."),
        Column("transaction_id", "The transaction that the entry names."),
        Column("provider_order_id", "The order id of the payment provider."),
        Column("provider_txn_id", "The transaction id of the payment provider."),
        Column("description", "The description of the entry."),
    ),
}
"""The columns of each file in their order; MONTH stands for a month such as 2026-08."""

RUN_FILES = tuple(file for file in FILES if "MONTH" not in file)
"""Those that every run writes."""


def _names(file: str) -> tuple[str, ...]:
    return tuple(column.name for column in FILES[file])


DISCREPANCIES = _names("discrepancies.csv")
RESOLVED = _names("resolved.csv")
MATCHED = _names("matched.csv")
SUMMARY = _names("summary.csv")
BRIDGE = _names("bridge.csv")
QUARANTINE = _names("quarantine.csv")
STATEMENT = _names("statement-MONTH.csv")
STATEMENT_ITEMS = _names("statement-MONTH-items.csv")
STATEMENT_SIGNOFF = _names("statement-MONTH-signoff.csv")


def _of_form(form: Form) -> frozenset[str]:
    return frozenset(column.name for columns in FILES.values() for column in columns if column.form is form)


AMOUNTS = _of_form(Form.AMOUNT)
"""The columns of money; each row says its currency."""
DAYS = _of_form(Form.DAY)
NUMBERS = _of_form(Form.NUMBER)


def dictionary(files: Sequence[str] = tuple(FILES)) -> list[tuple[Column, tuple[str, ...]]]:
    """Every column of these files once, with the files that have it; in the order of their first appearance."""
    found: dict[Column, list[str]] = {}
    for file in files:
        for column in FILES[file]:
            found.setdefault(column, []).append(file)
    return [(column, tuple(names)) for column, names in found.items()]
