"""kspay-reconcile: KS Pay's transactions against the merchant's ledger.

The stages, in order; data walks forward only:

    kspay, ledger    1 extract    read both books, page by page and row by row, with every record's place
    normalise        2            raw rows → typed records, or rejections with field, value and reason
    expectations     3 validate   Great Expectations judges all that is loaded before it counts
    match            4            sql/match in order, in one transaction, then sql/match/checks over the result
    report           5            the files that people open

`extract` strings 1 to 3 together and `load` writes what they give; `pipeline` composes the whole, for
the command line and for the Prefect flow alike; `store` alone knows the database.
"""
