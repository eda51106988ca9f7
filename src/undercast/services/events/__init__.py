"""Amazon EventBridge: buses, rules, targets, schedules. See service.py."""
