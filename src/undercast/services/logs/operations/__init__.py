"""CloudWatch Logs' operations, each tagged with AWS's name."""
