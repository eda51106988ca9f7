"""The operations of Scheduler, by AWS's names."""
