"""The text of a new reconcile.toml: every setting as a comment, and an example of each table."""

import textwrap

from reconcile.settings import SECRETS, VARIABLES

_TABLES = """
# Several apps, instead of the KSPAY_ settings above
#
# [[apps]]
# base_url = "https://kspay.example/v1"
# app_id = "ap_1"
# access_key_file = "keys/access"
# secret_key_file = "keys/secret"

# How to read a ledger: `reconcile ledger inspect FILE` proposes this table
#
# [ledger.tally]
# columns = { ledger_id = "Voucher No", reference = "Order Ref", amount = "Amount", date = "Date", status = "State" }
# currency = "INR"
# date_format = "%d/%m/%Y"

# Words of statuses beside those that are known
#
# [status.ledger]
# paid = ["done"]

# Currencies that ISO 4217 lacks, with their decimals
#
# [currencies]
# USDT = 6

# What the gateways keep: the ledger may book the amount less this
#
# [[fees]]
# payment_method = "CARD"
# currency = "INR"
# from = 2026-04-01
# percent = 2
# tax = 18

# Where decisions are booked: `reconcile adjustments` writes the journal
#
# [journal]
# account = "KS Pay clearing"
# [journal.accept]
# default = "Payment differences"
# [journal.write_off]
# default = "Payment losses"
# AMOUNT_MISMATCH = { INR = "Rounding", default = "Payment losses" }

# An expectation of your own
#
# [[expect]]
# name = "order_number"
# on = "entries"
# expectation = "ExpectColumnValuesToMatchRegex"
# column = "reference"
# regex = "^ORD-[0-9]+$"
# weight = "warns"
# why = "An order number has this form."
"""


def new_config() -> str:
    """The whole text. Without its `# ` each line of settings is valid TOML."""
    parts = [
        "# Settings of kspay-reconcile. A variable of the environment with the same name comes before this file.\n"
        "# Remove the # of what you change. Keep secrets in files of their own, and name them with ..._FILE.\n"
    ]
    for name, variable in VARIABLES.items():
        meaning = textwrap.fill(
            variable.meaning.replace("`", ""), 110, initial_indent="# ", subsequent_indent="# "
        )
        if name in SECRETS:
            line = f'# {name}_FILE = "path of a file that holds it"'
        else:
            default = variable.default.strip("`")
            line = f'# {name} = "{"" if default == "none" else default}"'
        parts.append(f"{meaning}\n{line}\n")
    return "\n".join([*parts, _TABLES.lstrip("\n")])
