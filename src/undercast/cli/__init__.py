"""The command line: parses arguments and is the only place that prints."""
