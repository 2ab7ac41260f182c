"""The Postgres that comes with the product, for those who configure none."""
