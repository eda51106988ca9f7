"""The operations of Kinesis Data Streams."""
