-- Grain: one row a record that cannot be used, of the period or earlier, wherever it stands now.
select
    unusable.side,
    unusable.source,
    unusable.file,
    unusable.row_number as row,
    unusable.field,
    unusable.value,
    unusable.reason,
    unusable.raw
from reported
inner join involved using (d)
inner join unusable on involved.side = 'unusable' and unusable.q = involved.number
order by
    unusable.side, unusable.source collate "C", unusable.file collate "C", unusable.row_number,
    unusable.known_by collate "C"
