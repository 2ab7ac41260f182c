"""Reads a window of the list of transactions until it is proven that no row is missing."""
