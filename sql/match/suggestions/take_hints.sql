-- Grain: one row a suggested pair.
-- Purpose: By confidence: of the pairs of one confidence those that are each other's only one, among records that no
-- earlier one has taken.
-- Reads: hint, refused_pair, suggestion
-- Makes: suggestion

analyze hint;

do $$
begin
    for step in 1 .. 6 loop
        insert into suggestion (transaction_no, entry_no, kind)
        with free as (
            select distinct hint.transaction_no, hint.entry_no, hint.kind
            from hint
            left join refused_pair using (transaction_no, entry_no)
            where
                hint.confidence = step and refused_pair.entry_no is null
                and hint.transaction_no not in (select transaction_no from suggestion)
                and hint.entry_no not in (select entry_no from suggestion)
        ),

        counted as (
            select
                *,
                count(*) over (partition by transaction_no) as of_transaction,
                count(*) over (partition by entry_no) as of_entry
            from free
        )

        select transaction_no, entry_no, kind
        from counted
        where of_transaction = 1 and of_entry = 1;
    end loop;
end
$$;
