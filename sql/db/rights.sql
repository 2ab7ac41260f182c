-- Grain: one row.
-- Purpose: Whether the role may do what the program needs: make temporary tables, and tables in its schema or, where
-- there is none, the schema; who owns the schema, null if there is none; and one of the `tables` there that it may not
-- read and write, as after a restore by another role. Names are as a statement needs them, with quotes where those are
-- needed.
-- Reads: none
-- Makes: none

select
    quote_ident(current_user) as role,
    quote_ident(current_database()) as database,
    has_database_privilege(current_database(), 'TEMPORARY') as may_use_temporary,
    case
        when to_regnamespace(:schema) is null then has_database_privilege(current_database(), 'CREATE')
        else has_schema_privilege(:schema, 'CREATE') and has_schema_privilege(:schema, 'USAGE')
    end as may_make_tables,
    (
        select quote_ident(pg_get_userbyid(nspowner)) from pg_namespace
        where oid = to_regnamespace(:schema)
    ) as schema_owner,
    (
        select quote_ident(relname)
        from pg_class
        where
            relnamespace = to_regnamespace(:schema) and relname = any(:tables)
            and not (
                has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
                and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete')
            )
        order by relname collate "C"
        limit 1
    ) as forbidden_table
