-- Grain: one row a record that changed itself.
-- Purpose: The first round: the records that arrived or changed themselves.
-- Reads: by_hand, entries, findings, fresh_load, joined_before, joined_pairing, policy, transactions
-- Makes: frontier

insert into frontier
select 'kspay', number
from transactions
where changed_in = any(array(select load_id from fresh_load where side = 'kspay'))
union
select 'ledger', number
from entries
where changed_in = any(array(select load_id from fresh_load where side = 'ledger'))
union
-- What a person joined since, or what no longer stands.
select by_hand.side, by_hand.number
from by_hand
left join joined_before using (side, number)
where joined_before.number is null
union
select joined_before.side, joined_before.number
from joined_before
left join by_hand using (side, number)
where by_hand.number is null
union
-- Suggestions that are accepted are made again in each run, from all that is unmatched.
select findings.side, findings.number
from findings
cross join policy
where findings.app_id = any(policy.app_ids) and findings.aspect = 'presence' and policy.accept_suggestions
union
select 'kspay', joined_pairing.transaction_no
from joined_pairing
where joined_pairing.rule = 'amount_date'
union
select 'ledger', joined_pairing.entry_no
from joined_pairing
where joined_pairing.rule = 'amount_date';
