"""Writes a journal as files: as CSV, which can be read back, as Tally XML and as Zoho Books CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconcile.core.dialect import Dialect
from reconcile.core.journal import JOURNAL_COLUMNS
from reconcile.core.people import is_printable
from reconcile.report.csv_cells import amount_cell, program_cell, text_cell, whole_cell
from reconcile.report.csv_files import write_csv

_AMOUNTS = ("debit", "credit", "amount")
TALLY_CURRENCY = "INR"
"""Tally's vouchers have amounts in its base currency; other currencies need a rate, which is not known here."""

_TOLD = ("reference", "narration")

ZOHO = ("Journal Date", "Reference Number", "Notes", "Currency", "Account", "Description", "Debit", "Credit")

Line = dict[str, str]
"""A journal line by column, each value as text."""


def write_journals(folder: Path, journals: Mapping[str, Sequence[Line]], dialect: Dialect) -> list[Path]:
    """Write the three files of each journal, given by name; returns their paths."""
    paths = []
    for name, lines in journals.items():
        paths += [folder / f"journal-{name}{end}" for end in (".csv", "-tally.xml", "-zoho.csv")]
        ours, tally, zoho = paths[-3:]
        write_csv(ours, JOURNAL_COLUMNS, [_cells(line, dialect) for line in lines], dialect)
        write_csv(zoho, ZOHO, [_zoho(line) for line in lines], Dialect.COMMA)  # it is for a program
        of_tally = [line for line in lines if line["currency"] == TALLY_CURRENCY]
        tally.write_bytes(tostring(_tally(of_tally), "utf-8", xml_declaration=True) + b"\n")
    return paths


def _cells(line: Line, dialect: Dialect) -> Line:
    return {
        name: amount_cell(value, dialect)
        if name in _AMOUNTS
        else value
        if name in ("date", "entry_date", "decision_id")
        else text_cell(value)
        if name in _TOLD
        else whole_cell(value)  # it may be read back
        for name, value in line.items()
    }


def _zoho(line: Line) -> Line:
    """Zoho Books takes lines of one reference number as one journal, which has one currency.

    It finds an account by its name or code as it is: 0010, and not ="0010".
    """
    values = (
        line["date"],
        program_cell(_voucher(line)),
        program_cell(line["narration"]),
        program_cell(line["currency"]),
        program_cell(line["account"]),
        program_cell(line["reference"]),
        amount_cell(line["debit"], Dialect.COMMA),
        amount_cell(line["credit"], Dialect.COMMA),
    )
    return dict(zip(ZOHO, values, strict=True))


def _voucher(line: Line) -> str:
    return f"KSR-{line['decision_id']}-{line['currency']}"


def _tally(lines: Sequence[Line]) -> Element:
    """Journal vouchers as Tally imports them: a debit is negative, and `deemed positive`."""
    envelope = Element("ENVELOPE")
    SubElement(SubElement(envelope, "HEADER"), "TALLYREQUEST").text = "Import Data"
    data = SubElement(SubElement(envelope, "BODY"), "IMPORTDATA")
    SubElement(SubElement(data, "REQUESTDESC"), "REPORTNAME").text = "Vouchers"
    request = SubElement(data, "REQUESTDATA")
    for number in dict.fromkeys(map(_voucher, lines)):
        of_voucher = [line for line in lines if _voucher(line) == number]
        message = SubElement(request, "TALLYMESSAGE", {"xmlns:UDF": "TallyUDF"})
        voucher = SubElement(
            message,
            "VOUCHER",
            {"VCHTYPE": "Journal", "ACTION": "Create", "OBJVIEW": "Accounting Voucher View"},
        )
        first = of_voucher[0]
        for tag, value in (
            ("DATE", first["date"].replace("-", "")),
            ("VOUCHERTYPENAME", "Journal"),
            ("VOUCHERNUMBER", number),
            ("REFERENCE", first["reference"]),
            ("NARRATION", f"{first['narration']} ({first['currency']})"),
            ("PERSISTEDVIEW", "Accounting Voucher View"),
        ):
            SubElement(voucher, tag).text = _xml(value)
        for line in of_voucher:
            entry = SubElement(voucher, "ALLLEDGERENTRIES.LIST")
            SubElement(entry, "LEDGERNAME").text = _xml(line["account"])
            SubElement(entry, "ISDEEMEDPOSITIVE").text = "Yes" if line["debit"] else "No"
            SubElement(entry, "AMOUNT").text = f"-{line['debit']}" if line["debit"] else line["credit"]
    indent(envelope)
    return envelope


def _xml(value: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(letter if is_printable(letter) else " " for letter in value)
