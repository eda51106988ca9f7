"""The operations of CloudWatch, one module per kind."""
