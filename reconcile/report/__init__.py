"""Stage 5, report: from the results of a matching to the files that people open."""
