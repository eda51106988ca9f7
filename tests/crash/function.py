"""The function of the kill test: for each event, from S3 or by an asynchronous invoke, it puts one object.

That object is the event's effect. Signed by hand, because loading the SDK would take longer than the whole run.
AWS: "Create a signed AWS API request".
"""

import io
import zipfile

EVENTS = "crash-events"
EFFECTS = "crash-effects"

_HANDLER = """
import hashlib, hmac, http.client, os, time
from urllib.parse import urlsplit

REVISION = "%s"


def handler(event, context):
    if "Records" in event:
        for record in event["Records"]:
            put("crash-effects", record["s3"]["object"]["key"])
    elif "id" in event:
        put("crash-effects", event["id"])
    return REVISION


def put(bucket, key):
    place = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    region = os.environ["AWS_REGION"]
    moment = time.strftime("%%Y%%m%%dT%%H%%M%%SZ", time.gmtime())
    headers = {
        "host": place.netloc,
        "x-amz-content-sha256": hashlib.sha256(b"done").hexdigest(),
        "x-amz-date": moment,
        "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"],
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\\n" for name, value in headers.items())
    request = f"PUT\\n/{bucket}/{key}\\n\\n{lines}\\n{names}\\n{headers['x-amz-content-sha256']}"
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\\n{moment}\\n{scope}\\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (moment[:8], region, "s3", "aws4_request", text):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    key_id = os.environ["AWS_ACCESS_KEY_ID"]
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope},SignedHeaders={names},Signature={secret.hex()}"
    )
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    connection.request("PUT", f"/{bucket}/{key}", b"done", headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {answer.read()}")
"""


def package(revision: str) -> bytes:
    """A deployment package whose handler returns the revision; the same bytes for the same revision."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), _HANDLER % revision)
        # Enough files that unpacking takes a moment.
        for number in range(20):
            archive.writestr(zipfile.ZipInfo(f"library/part{number}.py"), f"# {revision}\n" * 500)
    return content.getvalue()
