"""Is everything whole? Asked of the running platform, and of its data folder once it has stopped.

AWS: what a List operation shows, the Get operations know.
"""

from operator import methodcaller
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.security.fuzz.garden import Clients
from undercast.store.blobs import BlobStore
from undercast.store.database import Database

REFERENCES = """
    SELECT blob_id AS id FROM s3_object WHERE blob_id IS NOT NULL
    UNION ALL SELECT blob_id FROM s3_object_part
    UNION ALL SELECT blob_id FROM s3_upload_part
    UNION ALL SELECT code_sha256 FROM lambda_version
"""
MISCOUNTED = f"""
    SELECT blob.id, refs, COUNT(used.id) AS found FROM blob LEFT JOIN ({REFERENCES}) AS used ON used.id = blob.id
    GROUP BY blob.id HAVING refs <> COUNT(used.id)
"""
HALVES = {
    "a reference without its blob": f"SELECT id FROM ({REFERENCES}) WHERE id NOT IN (SELECT id FROM blob)",
    "a blob with the wrong count": MISCOUNTED,
    "a function without $LATEST": "SELECT name FROM lambda_function AS f WHERE NOT EXISTS (SELECT 1 FROM lambda_version"
    " AS v WHERE v.account_id = f.account_id AND v.region = f.region AND v.name = f.name)",
    "a version without its function": "SELECT name FROM lambda_version AS v WHERE NOT EXISTS (SELECT 1 FROM"
    " lambda_function AS f WHERE v.account_id = f.account_id AND v.region = f.region AND v.name = f.name)",
    "an object without its bucket": "SELECT key FROM s3_object WHERE bucket NOT IN (SELECT name FROM s3_bucket)",
    "an upload without its bucket": "SELECT key FROM s3_upload WHERE bucket NOT IN (SELECT name FROM s3_bucket)",
    "a part without its upload": "SELECT upload_id FROM s3_upload_part WHERE upload_id NOT IN"
    " (SELECT upload_id FROM s3_upload)",
    "two current versions of a key": "SELECT key FROM s3_object WHERE is_latest = 1 GROUP BY bucket, key"
    " HAVING COUNT(*) > 1",
}


async def breaches(folder: Path) -> list[str]:
    """What is half-written in the data folder of a platform that has stopped."""
    database = Database.open(folder / "state.db")
    blobs = BlobStore(folder / "blobs", database)
    try:
        found = list(await blobs.audit())
        for problem, query in HALVES.items():
            found += [f"{problem}: {tuple(row)}" for row in database.read_now(methodcaller("all", query))]
    finally:
        await blobs.close()
        await database.close()
    drafts = list((folder / "blobs" / ".drafts").iterdir())
    return found + [f"a draft is left: {path.name}" for path in drafts]


def inconsistencies(clients: Clients) -> list[str]:
    """What one operation lists and another does not know."""
    return [*_buckets(clients), *_functions(clients), *_identities(clients), *_logs(clients)]


def _known(what: str, operation: Any, **params: Any) -> list[str]:
    try:
        operation(**params)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
            return []  # a fuzzed bucket policy denies it
        return [f"{what} {params}: {error}"]
    return []


def _buckets(clients: Clients) -> list[str]:
    found = []
    for bucket in clients.s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        found += _known("listed", clients.s3.head_bucket, Bucket=name)
        try:
            pages = list(clients.s3.get_paginator("list_objects_v2").paginate(Bucket=name))
        except ClientError as error:
            found += [] if "AccessDenied" in str(error) else [f"listing {name}: {error}"]
            continue
        for item in [item for page in pages for item in page.get("Contents", ())]:
            found += _readable(clients, name, item)
    return found


def _readable(clients: Clients, bucket: str, item: dict[str, Any]) -> list[str]:
    try:
        body = clients.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
    except ClientError as error:
        return [] if "AccessDenied" in str(error) else [f"listed {bucket}/{item['Key']!r}: {error}"]
    return [] if len(body) == item["Size"] else [f"{bucket}/{item['Key']!r}: {len(body)} of {item['Size']} bytes"]


def _functions(clients: Clients) -> list[str]:
    found = []
    for page in clients.functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            name = function["FunctionName"]
            found += _known("listed", clients.functions.get_function, FunctionName=name)
            found += _known("listed", clients.functions.list_versions_by_function, FunctionName=name)
    return found


def _identities(clients: Clients) -> list[str]:
    iam, found = clients.iam, list[str]()
    kinds = (
        ("list_roles", "Roles", "RoleName", iam.get_role),
        ("list_users", "Users", "UserName", iam.get_user),
        ("list_groups", "Groups", "GroupName", iam.get_group),
        ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName", iam.get_instance_profile),
    )
    for lists, member, name, get in kinds:
        for page in iam.get_paginator(lists).paginate():
            for item in page[member]:
                found += _known("listed", get, **{name: item[name]})
    for page in iam.get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            found += _known("listed", iam.get_policy, PolicyArn=policy["Arn"])
            version = policy["DefaultVersionId"]
            found += _known("listed", iam.get_policy_version, PolicyArn=policy["Arn"], VersionId=version)
    return found


def _logs(clients: Clients) -> list[str]:
    found = []
    for page in clients.logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            found += _known("listed", clients.logs.describe_log_streams, logGroupName=name)
            found += _known("listed", clients.logs.filter_log_events, logGroupName=name, limit=10)
    return found
