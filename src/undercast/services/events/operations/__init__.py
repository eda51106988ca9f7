"""The operations of EventBridge, by AWS's names."""
