"""What `ledger inspect` says of kinds of ledgers whose reading is tested in tests/unit/ledger."""

from pathlib import Path
from typing import Any

import pytest

from reconcile.core.money import Currencies
from reconcile.ledger.profile import read_profile
from reconcile.load.inspect_ledger import describe
from reconcile.settings import Settings

HEADER = "ledger_id,reference,amount,date,currency,status"


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def inspected(
    folder: Path, database_url: str, content: str | bytes, keys: dict[str, Any] | None = None
) -> str:
    path = folder / "ledger"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    profile = read_profile("default", keys or {}, Currencies())
    settings = Settings(app_ids=("ap_1",), database_url=database_url)
    return "\n".join(describe(settings, path, profile))


@pytest.mark.parametrize(
    ("amount", "currency", "says"), [(1, 1, "1250.00  INR"), (2, 2, "15.05   USD"), (1, 2, "1250.00  USD")]
)
def test_which_of_two_equal_headers_is_meant(
    tmp_path: Path, database_url: str, amount: int, currency: int, says: str
) -> None:
    body = lines("Txn,Date,Amount,Currency,Fee,Amount,Currency", "T1,2026-04-01,1250.00,INR,29.50,15.05,USD")
    columns = {
        "ledger_id": "Txn",
        "date": "Date",
        "amount": f"Amount#{amount}",
        "currency": f"Currency#{currency}",
    }
    said = inspected(tmp_path, database_url, body, {"columns": columns})
    assert "1 of 1 row can be read" in said
    assert says in said


def test_text_that_was_decoded_twice(tmp_path: Path, database_url: str) -> None:
    spoilt = "₹".encode().decode("cp1252")
    body = lines(HEADER, f'R1,O1,"{spoilt}1,250.00",2026-04-01,INR,paid', "R2,O2,5,2026-04-01,INR,paid")
    assert "decoded twice" in inspected(tmp_path, database_url, body)


@pytest.mark.parametrize("reference", ["JOSÉ", "MENÜ", "MANHÃ", "Groß", "Ü", "JOSÉ\xa0SILVA", "MANHÃ\xa0SA"])
def test_a_word_that_ends_in_an_accent_was_not_decoded_twice(
    tmp_path: Path, database_url: str, reference: str
) -> None:
    body = lines(HEADER, f"R1,{reference},5,2026-04-01,INR,paid")
    for content in (body, body.encode("cp1252")):
        said = inspected(tmp_path, database_url, content)
        assert "1 of 1 row can be read" in said
        assert "decoded twice" not in said


@pytest.mark.parametrize(
    ("references", "pattern"),
    [
        (("WEB-ORD-1001", "WEB-ORD-1002", "R3"), None),
        (("ORD-1001-A", "ORD-1001-B", "ORD-1002-C"), None),
        (("IN/WEB-ORD-1001/26", "IN/WEB-ORD-1002/26", "IN/WEB-ORD-1003/26"), None),
        (
            ("NEFT from Asha WEB-ORD-1001", "NEFT from Ravi WEB-ORD-1002", "NEFT from Meera WEB-ORD-1003"),
            None,
        ),
        (("NEFT from Asha ORD-1001-a", "NEFT from Ravi ORD-1002-a", "NEFT from Meera ORD-1003-b"), None),
        (("ORD-1001", "ORD-1002", "ORD-1003"), None),
        (("UPI/41/ORD-1001/ASHA", "UPI/42/ORD-1002/ASHA", "UPI/43/ORD-1003/MEERA"), r"ORD-\d+"),
        (("ORD-1001|Asha|UPI", "ORD-1002|Asha|UPI", "ORD-1003|Ravi|UPI"), r"ORD-\d+"),
        (("Asha:ORD-1001:x", "Asha:ORD-1002:x", "Ravi:ORD-1003."), r"ORD-\d+"),
        (("NEFT from Asha ORD-1001", "NEFT from Ravi ORD-1002", "NEFT from Meera ORD-1003"), r"ORD-\d+"),
    ],
)
def test_no_part_of_a_reference_is_proposed_as_the_reference(
    tmp_path: Path, database_url: str, references: tuple[str, ...], pattern: str | None
) -> None:
    rows = (f"R{number},{reference},5,2026-04-01,INR,paid" for number, reference in enumerate(references))
    said = inspected(tmp_path, database_url, lines(HEADER, *rows))
    proposed = [line for line in said.splitlines() if line.startswith("reference_pattern")]
    assert proposed == ([] if pattern is None else [f"reference_pattern = '{pattern}'"])


@pytest.mark.parametrize(
    ("header", "row", "ids"),
    [
        ("Date,Description,Amount", "2026-04-01,UPI,5", '["Date", "Description", "Amount"]'),
        (
            "Date,Narration,Deposit,Withdrawal",
            "2026-04-01,UPI,5,",
            '["Date", "Narration", "Deposit", "Withdrawal"]',
        ),
        ("Transaction Date,Amount", "2026-04-01,5", '["Transaction Date", "Amount"]'),
    ],
)
def test_a_file_without_ids_is_told_what_to_do(
    tmp_path: Path, database_url: str, header: str, row: str, ids: str
) -> None:
    body = lines(header, row)
    said = inspected(tmp_path, database_url, body)
    assert f"ledger_id = {ids}" in said
    assert "1 of 1 row can be read" in said
    assert "without it an import is refused: row 1: the header lacks the column" in said
