"""The local KS Pay server and its made-up merchant, on which `reconcile demo` and the tests run.

    shop.py       what a seed fixes: the app, its keys, currencies, methods, prices, words
    orders.py     one order on one day: its payments at KS Pay and its bookings in the ledger
    cases.py      the planted errors, and oddities that are no error
    broken.py     planted records that cannot be used
    merchant.py   the days of a shop put together: transactions, ledger, what a reconciliation must report
    refusals.py   the errors of KS Pay's catalogue, as answers
    tokens.py     access and refresh tokens and request signatures
    listing.py    the transactions the server holds, by time, id and reference
    server.py     the ten calls over HTTP
    command.py    `reconcile sandbox`

Nothing here is used by a reconciliation: it talks to this server over HTTP like to any other.
"""
