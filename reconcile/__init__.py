"""kspay-reconcile: KS Pay's transactions against the merchant's ledger.

The folders, in the order in which data walks through them. No module imports from a line below its own:

    core                 records, money, periods, errors: the words that all stages share
    ledger, kspay        read the two books, row by row and page by page, with every record's place
    settings, db         the settings; the database: engine, migrations, locks, the table of runs
    normalise            raw rows -> typed records, or rejections with field, value and reason
    validate             Great Expectations validates all that is loaded, before it counts
    context              what the stages of one run work with
    load                 fetch and import: staging tables, then one transaction that takes them in
    match                matches, and the discrepancies of what does not match
    decide, inbox        decisions of people, and files that people leave for the next run
    report               the files that people open
    pipeline             the order of the stages
    cli                  the commands
"""
