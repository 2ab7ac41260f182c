"""The merchant's ledger: a file, folder or query becomes raw rows, each with its place. Nothing is cast here."""
