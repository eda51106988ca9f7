"""Lambda's operations, each tagged with AWS's name."""
