"""The local KS Pay server and its made-up merchant, on which `reconcile demo` and the tests run.

    shop.py       what a seed fixes: the app, its keys, currencies, methods, prices, words
    orders.py     one order on one day: its payments at KS Pay and its bookings in the ledger
    cases.py      the planted errors, and oddities that are no error
    broken.py     planted records that cannot be used
    merchant.py   the days of a shop put together: transactions, ledger, what a reconciliation must report
    refusals.py   the errors of KS Pay's catalogue, as answers
    tokens.py     access and refresh tokens and request signatures
    behaviour.py  what KS Pay's guide leaves open and what can go wrong, and the profiles that choose of it
    listing.py    the transactions the server holds, by time, id and reference
    bulk.py       the same for millions of them, made when they are asked for
    spoilt.py     bad records of every kind, for the server to hold
    faults.py     what goes wrong between the server and its client
    openapi.py    the ten calls as a table, and their OpenAPI description
    calls.py      what each call checks and answers
    server.py     all of it over HTTP, and the handle that changes its data while it runs
    command.py    `reconcile sandbox`

Nothing here is used by a reconciliation: it talks to this server over HTTP like to any other.
"""
