"""Amazon S3: buckets, objects, multipart uploads, notifications. See service.py."""
