"""What a Host name says: which service, which region, which bucket.

Pure and cached. A name that says nothing (localhost, an address) leaves the decision to the rest of the head.
AWS: "AWS service endpoints"; S3 User Guide, "Virtual hosting of general purpose buckets", "Dual-stack endpoints".
"""

from functools import lru_cache

from undercast.core.record import record

AWS_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
LOCAL_SUFFIXES = (".localhost.localstack.cloud", ".localhost")
_REGION_PARTS = (3, 4)


@record
class HostRules:
    """Suffixes under which service and bucket names are looked for; longer ones first. Compared by identity."""

    suffixes: tuple[str, ...] = (*AWS_SUFFIXES, *LOCAL_SUFFIXES)
    __eq__ = object.__eq__  # asked by `host_target`'s cache of each request
    __hash__ = object.__hash__


DEFAULT_HOSTS = HostRules()


@record
class HostTarget:
    """The meaning of a Host name. `endpoint` is an endpoint prefix ("lambda"), `bucket` a virtual-host bucket."""

    endpoint: str | None = None
    region: str | None = None
    bucket: str | None = None


NOWHERE = HostTarget()


@lru_cache(maxsize=4096)
def host_target(host: str, rules: HostRules) -> HostTarget:
    """Read a Host header (any case, with or without port)."""
    name = host.lower().rsplit(":", 1)[0] if ":" in host else host.lower()
    name = name.rstrip(".")
    for suffix in rules.suffixes:
        if name.endswith(suffix) and len(name) > len(suffix):
            return _of_labels(name[: -len(suffix)].split("."), local=suffix in LOCAL_SUFFIXES)
    return NOWHERE


def _of_labels(labels: list[str], *, local: bool) -> HostTarget:
    for position in range(len(labels) - 1, -1, -1):
        found, region = _s3_label(labels[position])
        behind = [label for label in labels[position + 1 :] if label not in ("dualstack", "fips")]
        if found and len(behind) <= 1 and all(_is_region(label) for label in behind):
            bucket = ".".join(labels[:position]) or None
            return HostTarget(endpoint="s3", region=behind[0] if behind else region, bucket=bucket)
    if labels[-1] == "queue" and len(labels) <= 2:
        return HostTarget(endpoint="sqs", region=labels[0] if len(labels) == 2 else None)
    if _is_region(labels[-1]):
        return HostTarget(endpoint=_endpoint(labels[:-1]), region=labels[-1])
    if local:
        return HostTarget(bucket=".".join(labels))
    return HostTarget(endpoint=_endpoint(labels))


def _endpoint(labels: list[str]) -> str | None:
    """The endpoint prefix, without the variants that answer alike."""
    name = ".".join(label for label in labels if label != "dualstack")
    return name.removesuffix("-fips") or None


def _s3_label(label: str) -> tuple[bool, str | None]:
    if label in ("s3", "s3-accelerate", "s3-fips", "s3-external-1"):
        return True, None
    region = label.removeprefix("s3-")
    return (True, region) if region != label and _is_region(region) else (False, None)


def _is_region(label: str) -> bool:
    """Region names look like "eu-west-1" or "us-gov-west-1": three or four parts, the last one a number."""
    parts = label.split("-")
    return len(parts) in _REGION_PARTS and parts[-1].isdecimal() and all(part.isalpha() for part in parts[:-1])
