-- Grain: one row a record that cannot be used.
-- Purpose: Counts what was rejected. Two rows of a ledger without an id and with equal content are two records. KS Pay
-- repeats records where two windows overlap, so there equal content is one record. The content of a record that could
-- be typed is that of its typed values, so that decisions on it still hold if its source writes it another way.
-- Reads: staged_rejections
-- Makes: rejected

create temp table rejected on commit drop as
with hashed as (
    select
        *,
        encode(sha256(convert_to(coalesce(typed, raw), 'UTF8')), 'hex') as sha256
    from staged_rejections
),

numbered as (
    select
        *,
        row_number() over (
            partition by app_id, side, source, record_id, sha256 order by row_number, file
        ) as repeat
    from hashed
)

select
    *,
    case when repeat = 1 then sha256 else sha256 || '#' || repeat end as content
from numbered
where repeat = 1 or (side = 'ledger' and record_id is null);
