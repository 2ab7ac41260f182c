-- The group of one record is worked out from it alone: what changed elsewhere is left aside.
truncate frontier, fresh_key
