"""AWS Lambda: functions, versions, permissions, invokes. The sandbox runs them."""
