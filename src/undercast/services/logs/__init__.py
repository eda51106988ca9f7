"""Amazon CloudWatch Logs: groups, streams, events; where functions' logs go."""
