"""Amazon CloudWatch: metrics, alarms, dashboards."""
