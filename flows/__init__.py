"""Prefect: when the work is done, and what its page shows. Nothing in `reconcile` imports this at its top."""
