"""What isolates execution environments: `namespace` (Linux) and `process` (portable)."""
