"""The Postgres that comes with the product and is used where no other is configured."""
