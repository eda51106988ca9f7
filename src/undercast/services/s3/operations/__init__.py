"""S3's operations, one file per family; each function is tagged with AWS's name."""
