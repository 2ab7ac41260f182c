-- Grain: one row an app.
-- Purpose: Records by which settings and rules (`:rules`, a fingerprint of them) the apps are matched. Changes only
-- apps that were matched by others, or never.
-- Reads: policy, status_family, tolerance
-- Makes: matched_policies

insert into matched_policies (app_id, policy)
select
    app_id,
    (
        select
            encode(
                sha256(
                    convert_to(
                        cast(
                            jsonb_build_array(
                                cast(:rules as text),
                                to_jsonb(policy) - 'app_ids',
                                (
                                    select jsonb_agg(to_jsonb(f) order by f.side, f.status collate "C")
                                    from status_family as f
                                ),
                                (select jsonb_agg(to_jsonb(t) order by t.currency collate "C") from tolerance as t)
                            ) as text
                        ),
                        'UTF8'
                    )
                ),
                'hex'
            )
        from policy
    )
from unnest(cast(:apps as text[])) as app_id
on conflict (app_id) do update set
    policy = excluded.policy
where matched_policies.policy <> excluded.policy
