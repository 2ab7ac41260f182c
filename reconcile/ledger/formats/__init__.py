"""The forms that a ledger file can have, and how a file shows which one it has."""
