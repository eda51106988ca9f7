"""Buckets: rows, the cache in front of them, and the checks that every request to a bucket starts with.

A bucket is read from the store once; whatever changes it drops it from the cache after its commit.
AWS: S3 User Guide, "Buckets overview", "Verifying bucket ownership with bucket owner condition".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Region
from undercast.core.context import RequestContext
from undercast.policy.document import Policy, parse_policy
from undercast.services.s3 import documents
from undercast.services.s3.errors import AccessDenied, AuthorizationHeaderMalformed, NoSuchBucket, PermanentRedirect
from undercast.services.s3.models import Bucket
from undercast.store.database import Database, Tx


class Buckets:
    """The global namespace of buckets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[str, Bucket] = {}
        self._policies: dict[str, Policy] = {}

    def find(self, name: str) -> Bucket | None:
        """A bucket of any account and region."""
        found = self._cache.get(name)
        if found is None:
            found = self._database.read_now(lambda tx: _load(tx, name))
            if found is not None:
                self._cache[name] = found
        return found

    def get(self, ctx: RequestContext, params: Mapping[str, Any]) -> Bucket:
        """The bucket that a request names. Raises NoSuchBucket, AccessDenied (expected owner) or PermanentRedirect."""
        bucket = self.get_anywhere(params)
        if bucket.region != ctx.region and ctx.names_region and ctx.principal.kind != "anonymous":
            raise _elsewhere(bucket, ctx)
        return bucket

    def get_anywhere(self, params: Mapping[str, Any]) -> Bucket:
        """`get` for the requests that every region answers."""
        bucket = self.find(params["Bucket"])
        if bucket is None:
            raise NoSuchBucket(members={"BucketName": params["Bucket"]})
        if params.get("ExpectedBucketOwner") not in (None, bucket.account_id):
            raise AccessDenied()
        return bucket

    def policy(self, bucket: Bucket) -> Policy | None:
        """The bucket's policy, compiled once."""
        text = bucket.configurations.get("policy")
        if text is None:
            return None
        found = self._policies.get(bucket.name)
        if found is None:
            found = self._policies[bucket.name] = parse_policy(text)
        return found

    def confirm(self, tx: Tx, bucket: Bucket) -> Bucket:
        """The same bucket as it is inside a transaction. Raises NoSuchBucket when it was deleted meanwhile."""
        return _same(bucket, self.inside(tx, bucket.name))

    def again(self, bucket: Bucket) -> Bucket:
        """The same behind an await, where no transaction runs."""
        return _same(bucket, self.find(bucket.name))

    def inside(self, tx: Tx, name: str) -> Bucket | None:
        """A bucket by name, inside a transaction."""
        return self._cache.get(name) or _load(tx, name)

    def add(self, tx: Tx, bucket: Bucket) -> None:
        """Store a new bucket with its configurations."""
        tx.execute(
            "INSERT INTO s3_bucket (account_id, region, name, created_at) VALUES (?, ?, ?, ?)",
            (bucket.account_id, bucket.region, bucket.name, bucket.created_at),
        )
        for kind, document in bucket.configurations.items():
            self.configure(tx, bucket, kind, document)

    def configure(self, tx: Tx, bucket: Bucket, kind: str, document: Any) -> None:
        """Replace one configuration; None removes it."""
        tx.execute("DELETE FROM s3_bucket_configuration WHERE bucket = ? AND kind = ?", (bucket.name, kind))
        if document is not None:
            tx.execute(
                "INSERT INTO s3_bucket_configuration (account_id, region, bucket, kind, document) "
                "VALUES (?, ?, ?, ?, ?)",
                (bucket.account_id, bucket.region, bucket.name, kind, documents.dumps(document)),
            )
        tx.after_commit(lambda: self.forget(bucket.name))

    def remove(self, tx: Tx, bucket: Bucket) -> None:
        """Delete a bucket and its configurations. The caller has checked that it is empty."""
        tx.execute("DELETE FROM s3_bucket_configuration WHERE bucket = ?", (bucket.name,))
        tx.execute("DELETE FROM s3_bucket WHERE name = ?", (bucket.name,))
        tx.after_commit(lambda: self.forget(bucket.name))

    def owned_by(self, tx: Tx, account_id: AccountId) -> list[Bucket]:
        """Every bucket of an account in all regions, by name, without configurations."""
        sql = "SELECT account_id, region, name, created_at FROM s3_bucket WHERE account_id = ? ORDER BY name"
        return [
            Bucket(name=row["name"], account_id=account_id, region=Region(row["region"]), created_at=row["created_at"])
            for row in tx.all(sql, (account_id,))
        ]

    def count(self, tx: Tx, account_id: AccountId) -> int:
        """How many buckets an account has in all regions."""
        row = tx.one("SELECT count(*) AS n FROM s3_bucket WHERE account_id = ?", (account_id,))
        return int(row["n"]) if row is not None else 0

    def exists(self, tx: Tx, name: str) -> Bucket | None:
        """A bucket as it is inside a transaction, past the cache."""
        return _load(tx, name)

    def forget(self, name: str | None = None) -> None:
        """Drop one bucket, or all of them, from the cache."""
        if name is None:
            self._cache.clear()
            self._policies.clear()
        else:
            self._cache.pop(name, None)
            self._policies.pop(name, None)


def _load(tx: Tx, name: str) -> Bucket | None:
    row = tx.one("SELECT account_id, region, name, created_at FROM s3_bucket WHERE name = ?", (name,))
    if row is None:
        return None
    kinds = tx.all("SELECT kind, document FROM s3_bucket_configuration WHERE bucket = ?", (name,))
    return Bucket(
        name=name,
        account_id=AccountId(row["account_id"]),
        region=Region(row["region"]),
        created_at=row["created_at"],
        configurations={kind["kind"]: documents.loads(kind["document"]) for kind in kinds},
    )


def _same(bucket: Bucket, found: Bucket | None) -> Bucket:
    """One that was deleted and made again is another, of another account as a rule."""
    if found is None or (found.account_id, found.created_at) != (bucket.account_id, bucket.created_at):
        raise NoSuchBucket(members={"BucketName": bucket.name})
    return found


def _elsewhere(bucket: Bucket, ctx: RequestContext) -> Exception:
    """A request signed for another region. The host tells which of AWS's two answers it is."""
    headers = {"x-amz-bucket-region": bucket.region}
    if f".{bucket.region}." in ctx.headers.get("host", ""):
        text = f"The authorization header is malformed; the region '{ctx.region}' is wrong; expecting '{bucket.region}'"
        return AuthorizationHeaderMalformed(text, members={"Region": bucket.region}, headers=headers)
    endpoint = f"{bucket.name}.s3.{bucket.region}.amazonaws.com"
    return PermanentRedirect(members={"Endpoint": endpoint, "Bucket": bucket.name}, headers=headers)
