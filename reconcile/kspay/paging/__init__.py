"""Reads Fetch All Transactions until it is proven that no row is missing (docs/paging-proof.md)."""
