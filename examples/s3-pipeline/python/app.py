"""Reads each YAML object that an S3 event names and writes it as JSON to DST_BUCKET."""

import json
import os
from urllib.parse import unquote_plus

import boto3
import yaml

s3 = boto3.client("s3")


def handler(event, context):
    written = []
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        document = yaml.safe_load(s3.get_object(Bucket=bucket, Key=key)["Body"])
        target = os.path.splitext(key)[0] + ".json"
        body = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True, default=str) + "\n"
        s3.put_object(
            Bucket=os.environ["DST_BUCKET"], Key=target, Body=body.encode(), ContentType="application/json"
        )
        print(f"s3://{bucket}/{key} -> s3://{os.environ['DST_BUCKET']}/{target} ({len(body)} characters)")
        written.append(target)
    return {"written": written}
