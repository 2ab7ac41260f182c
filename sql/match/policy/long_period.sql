-- Grain: one row.
-- Purpose: Whether the period holds so many transactions (`many`) that joining whole tables is quicker than looking
-- them up.
-- Reads: asked, transactions
-- Makes: none

select count(*) >= :many
from (
    select
    from transactions
    where created_at between (select period_first from asked) and (select period_last from asked)
    limit :many
) as period_rows
