"""The operations of IAM, one module per kind of entity."""
