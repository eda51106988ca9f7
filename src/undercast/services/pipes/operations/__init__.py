"""The operations of Pipes, by AWS's names."""
