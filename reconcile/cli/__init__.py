"""The `reconcile` command: a module for each group of commands, and what they share."""
