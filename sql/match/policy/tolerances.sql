-- Grain: one row a currency that has a tolerance of its own.
insert into tolerance (currency, fixed, percent) values (:currency, :fixed, :percent)
