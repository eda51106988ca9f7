"""Row S3d-42: a Python function with Pillow in its package makes thumbnails of what comes into a bucket.

Pillow is installed by tools/setup_sdks.sh as `pip install --target` puts it into a package.
"""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.conformance.sdks.programs import installed
from tests.e2e.functions import RUNTIME
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until

SOURCE = """
import os
from urllib.parse import unquote_plus

import boto3
from PIL import Image

s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        given, made = "/tmp/given-" + os.path.basename(key), "/tmp/made-" + os.path.basename(key)
        s3.download_file(bucket, key, given)
        with Image.open(given) as image:
            image.thumbnail((image.width // 2, image.height // 2))
            image.save(made)
        s3.upload_file(made, bucket + "resized", key)
"""
DRAW = """
import sys
from PIL import Image
image = Image.linear_gradient("L").resize((640, 480)).convert("RGB")
image.save(sys.argv[1], "JPEG")
"""
LOOK = """
import json, sys
from PIL import Image
with Image.open(sys.argv[1]) as image:
    image.load()
    print(json.dumps([image.format, image.size, image.getpixel((0, 0))[0], image.getpixel((0, 239))[0]]))
"""


def with_pillow(library: Path, source: str, *arguments: str) -> str:
    """What a program with Pillow prints."""
    command = [sys.executable, "-c", source, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(library)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def package(library: Path) -> bytes:
    """The function and its library, native modules included."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("app.py", SOURCE)
        for file in sorted(library.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, str(file.relative_to(library)))
    return out.getvalue()


def test_a_function_with_pillow_makes_thumbnails(platform: RunningPlatform, account: str, tmp_path: Path) -> None:
    """S3d-42: jpg in, half of its size out; S3 may invoke where the permission names the bucket's account alone."""
    library = installed("pillow/.ready").parent / "package"
    functions, s3 = platform.client("lambda", account=account), platform.client("s3", account=account)
    source, target = f"photos-{account}", f"photos-{account}resized"
    for bucket in (source, target):
        s3.create_bucket(Bucket=bucket)
    arn = functions.create_function(
        FunctionName="thumbnails",
        Runtime=RUNTIME,
        Role=f"arn:aws:iam::{account}:role/unknown",
        Handler="app.handler",
        Code={"ZipFile": package(library)},
        Timeout=30,
        MemorySize=1024,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="thumbnails", WaiterConfig={"Delay": 1})
    notification = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    configuration = {"Bucket": source, "NotificationConfiguration": {"LambdaFunctionConfigurations": [notification]}}

    def permit(statement: str, owner: str) -> None:
        functions.add_permission(
            FunctionName="thumbnails",
            StatementId=statement,
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn=f"arn:aws:s3:::{source}",
            SourceAccount=owner,
        )

    permit("another", f"{(int(account) + 1) % 10**12:012d}")
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        s3.put_bucket_notification_configuration(**configuration)
    permit("own", account)
    s3.put_bucket_notification_configuration(**configuration)
    with_pillow(library, DRAW, str(tmp_path / "photo.jpg"))
    s3.upload_file(str(tmp_path / "photo.jpg"), source, "2026/a photo.jpg")
    until(lambda: s3.list_objects_v2(Bucket=target)["KeyCount"] == 1)
    s3.download_file(target, "2026/a photo.jpg", str(tmp_path / "small.jpg"))
    kind, size, top, bottom = json.loads(with_pillow(library, LOOK, str(tmp_path / "small.jpg")))
    assert (kind, size) == ("JPEG", [320, 240])
    assert (top < 20, bottom > 235) == (True, True)
