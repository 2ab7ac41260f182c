"""The local KS Pay server and its made-up merchant, on which `reconcile demo` and the tests run.

    shop.py       what depends only on the seed: the app, its keys, currencies, methods, prices, words
    orders.py     one order on one day: its payments at KS Pay and its bookings in the ledger
    cases.py      the planted errors, and unusual cases that are no errors
    invalid.py    planted records that cannot be used
    merchant.py   all days of a shop: transactions, ledger, and what a reconciliation must report
    refusals.py   the errors of KS Pay's catalogue, as answers
    tokens.py     access and refresh tokens and request signatures
    behaviour.py  what KS Pay's guide leaves open and what can go wrong, as settings and profiles
    listing.py    the transactions the server holds, by time, id and reference
    bulk.py       the same for millions of transactions, made on request
    bad_records.py  bad records of every kind
    faults.py     faults between the server and its client
    openapi.py    the ten calls as a table, and their OpenAPI description
    calls.py      what each call checks and answers
    server.py     all of it over HTTP, and the handle that changes its data while it runs
    command.py    `reconcile sandbox`

A reconciliation uses nothing of this: it talks to this server over HTTP, as to any other.
"""
