"""The files of a run, the statement, and the texts of the terminal, from one frozen result."""
