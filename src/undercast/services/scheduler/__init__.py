"""Amazon EventBridge Scheduler: schedules of their own, without rules. See service.py."""
