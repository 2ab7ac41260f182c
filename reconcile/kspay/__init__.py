"""Stage 1 of the data's way: KS Pay's API over HTTP, the only importer of requests."""
