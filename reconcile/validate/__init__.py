"""The expectations: what a record, a load, a day and a result must hold, and Great Expectations asked about it."""
