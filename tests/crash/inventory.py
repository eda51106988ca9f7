"""What a platform still has after it was killed: asked for by its API, and looked up behind its back in its folder.

The audit is written anew here, so that it does not share a mistake with `BlobStore.audit`.
"""

import base64
import hashlib
import sqlite3
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.crash.function import EFFECTS, EVENTS
from tests.crash.traffic import EFFECT_FUNCTION, LOG_GROUP, OBJECTS, Clients, promise

PATIENCE_S = 120.0
"""What is wrong for so long stays so: the sweep behind the ready line takes its time, as do deliveries."""
_REFERENCES = (
    "SELECT blob_id FROM s3_object WHERE blob_id IS NOT NULL",
    "SELECT blob_id FROM s3_object_part",
    "SELECT blob_id FROM s3_upload_part",
    "SELECT code_sha256 FROM lambda_version",
)


def take(clients: Clients, data: Path) -> None:
    """Compare everything with the ledger. Found out as a whole first: the platform may die at any moment."""
    objects, buckets, functions = _objects(clients), _buckets(clients), _functions(clients)
    streams, lines = _streams(clients), _lines(data)
    ledger = clients.ledger
    ledger.check("object", objects)
    ledger.check("bucket", buckets)
    ledger.check("function", functions)
    ledger.check("stream", streams)
    ledger.check_least("lines", lines)


def effects(clients: Clients) -> Iterator[str]:
    """The events whose effect can be seen."""
    for page in clients.s3.get_paginator("list_objects_v2").paginate(Bucket=EFFECTS):
        yield from (item["Key"] for item in page.get("Contents", ()))


def audit(data: Path) -> list[str]:
    """What is wrong in the folder of an idle platform; the sweep behind its ready line gets a moment."""
    return _settled(lambda: [*_blob_problems(data), *_leftovers(data)])


def waiting_deliveries(data: Path) -> int:
    """Rows of the outbox."""
    return int(_rows(data / "state.db", "SELECT COUNT(*) FROM event_delivery")[0][0])


def has_report(data: Path) -> bool:
    """Whether the last line of an invocation is in the file, without anybody having asked for it."""
    return bool(_rows(data / "journal.db", "SELECT 1 FROM logs_event WHERE message LIKE 'REPORT RequestId:%'"))


def corrupt_blobs(data: Path) -> list[str]:
    """Files whose content is not what their name says."""
    return [str(path) for path, blob_id in _files(data) if hashlib.sha256(path.read_bytes()).hexdigest() != blob_id]


def _objects(clients: Clients) -> dict[str, str]:
    found = {}
    for page in clients.s3.get_paginator("list_objects_v2").paginate(Bucket=OBJECTS):
        for item in page.get("Contents", ()):
            answer = clients.s3.get_object(Bucket=OBJECTS, Key=item["Key"])
            content = answer["Body"].read()
            digest = hashlib.sha256(content).hexdigest()
            if (answer["Metadata"]["digest"], answer["ETag"], len(content)) != (digest, item["ETag"], item["Size"]):
                clients.ledger.problems.append(f"{item['Key']} is not of one piece: {answer}")
            found[item["Key"]] = digest
    return found


def _buckets(clients: Clients) -> dict[str, str]:
    names = {bucket["Name"] for bucket in clients.s3.list_buckets()["Buckets"]}
    return {name: _tag(clients, name) for name in names - {OBJECTS, EVENTS, EFFECTS}}


def _tag(clients: Clients, bucket: str) -> str:
    try:
        return str(clients.s3.get_bucket_tagging(Bucket=bucket)["TagSet"][0]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchTagSet":
            raise
        return ""


def _functions(clients: Clients) -> dict[str, str]:
    found = {}
    for item in clients.functions.list_functions()["Functions"]:
        name = item["FunctionName"]
        answer = _deployed(clients, name)
        configuration = answer["Configuration"]
        states = _states(configuration)
        if states != ("Active", "Successful"):
            clients.ledger.problems.append(f"{name} is {states} after the ready line")
        with urllib.request.urlopen(answer["Code"]["Location"], timeout=PATIENCE_S) as response:
            sha256 = base64.b64encode(hashlib.sha256(response.read()).digest()).decode()
        if sha256 != configuration["CodeSha256"]:
            clients.ledger.problems.append(f"the code of {name} is not what CodeSha256 says")
        found[name] = promise(sha256, configuration["Description"])
    if found.pop(EFFECT_FUNCTION, None) is None:
        clients.ledger.problems.append("the function with the event source is gone")
    return found


def _deployed(clients: Clients, name: str) -> Any:
    """GetFunction, once the deployment that a kill may have left unfinished is over."""
    end = time.monotonic() + PATIENCE_S
    while True:
        answer = clients.functions.get_function(FunctionName=name)
        if not {"Pending", "InProgress"} & set(_states(answer["Configuration"])) or time.monotonic() > end:
            return answer
        time.sleep(0.02)


def _states(configuration: Any) -> tuple[str, str | None]:
    return configuration["State"], configuration.get("LastUpdateStatus")


def invoke_all(clients: Clients) -> None:
    """Every function runs, with the code that it says it has."""
    for name, allowed in clients.ledger.allowed["function"].items():
        (held,) = allowed
        if held is None:
            continue
        answer = clients.functions.invoke(FunctionName=name)
        expected = clients.hashes[held.partition(" ")[0]]
        if answer["Payload"].read().decode() != f'"{expected}"':
            clients.ledger.problems.append(f"{name} did not run revision {expected}: {answer}")


def _streams(clients: Clients) -> dict[str, str]:
    pages = clients.logs.get_paginator("describe_log_streams").paginate(logGroupName=LOG_GROUP)
    return {stream["logStreamName"]: "" for page in pages for stream in page["logStreams"]}


def _lines(data: Path) -> dict[str, str]:
    """How many lines each stream has. Lines come in order: a hole shows as a count below the last number."""
    query = (
        "SELECT s.name, COUNT(*), MAX(CAST(e.message AS INTEGER)), MIN(CAST(e.message AS INTEGER))"
        " FROM logs_stream s JOIN logs_event e ON e.stream_key = s.key WHERE s.group_name = ? GROUP BY s.name"
    )
    rows = _rows(data / "journal.db", query, LOG_GROUP)
    return {name: str(last) if (last, first) == (count, 1) else "0" for name, count, last, first in rows}


def _blob_problems(data: Path) -> Iterator[str]:
    files = {blob_id: path for path, blob_id in _files(data)}
    # In one snapshot: deliveries may be putting objects meanwhile.
    rows, *references = _snapshot(data / "state.db", "SELECT id, size_bytes, refs, body FROM blob", *_REFERENCES)
    held = Counter(row[0] for found in references for row in found)
    for blob_id, size, references_counted, body in rows:
        path = files.pop(blob_id, None)
        if references_counted != held.pop(blob_id, 0):
            yield f"blob {blob_id} counts {references_counted} references"
        if body is None and (path is None or path.stat().st_size != size):
            yield f"blob {blob_id} of {size} bytes has no such file"
        if body is not None and (path is not None or len(body) != size):
            yield f"blob {blob_id} of {size} bytes has no such row"
    yield from (f"file {blob_id} has no row" for blob_id in files)
    yield from (f"{blob_id} is referred to and not there" for blob_id in held)


def _leftovers(data: Path) -> Iterator[str]:
    for pattern in ("blobs/.drafts/*", "code/.work/*", "runtimes/*.draft", "*.new", "ca/*.new"):
        yield from (f"{path} was left" for path in data.glob(pattern))
    wanted = {row[0] for row in _rows(data / "state.db", "SELECT code_sha256 FROM lambda_version")}
    found = {path.name for path in (data / "code").iterdir()} - {".work"}
    yield from (f"unpacked code {sha256} is missing" for sha256 in wanted - found)
    yield from (f"unpacked code {sha256} was left" for sha256 in found - wanted)


def _files(data: Path) -> list[tuple[Path, str]]:
    return [(path, path.parent.name + path.name) for path in (data / "blobs").glob("??/*")]


def _rows(database: Path, query: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE_S)) as connection:
        return connection.execute(query, values).fetchall()


def _snapshot(database: Path, *queries: str) -> list[list[Any]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE_S)) as connection:
        connection.execute("BEGIN")
        return [connection.execute(query).fetchall() for query in queries]


def _settled(look: Callable[[], list[str]]) -> list[str]:
    """What is still wrong after a while."""
    end = time.monotonic() + PATIENCE_S
    while problems := look():
        if time.monotonic() > end:
            break
        time.sleep(0.02)
    return problems
