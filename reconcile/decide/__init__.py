"""What people decide: the sheets that come back, the audit trail, matches made by hand."""
