"""AWS's protocols, driven by botocore's models: bytes to parsed calls and results to bytes. No I/O (I1)."""
