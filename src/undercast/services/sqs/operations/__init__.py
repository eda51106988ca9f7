"""The operations of SQS, one function each."""
