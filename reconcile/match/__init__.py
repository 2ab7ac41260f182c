"""Matching and discrepancies, set by set in SQL; and why a record has the match that it has."""
