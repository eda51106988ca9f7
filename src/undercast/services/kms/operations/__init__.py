"""The operations of KMS, one module per kind."""
