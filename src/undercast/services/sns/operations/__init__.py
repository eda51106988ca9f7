"""The operations of SNS, one function each."""
