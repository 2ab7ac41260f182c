-- Pairs that lost a record to a better pair of the round before.

delete from candidate
where t in (select t from taken_txn) or e in (select e from taken_unit);
