"""The file formats of ledgers, each as a `Table`, and the detection of a file's format."""
