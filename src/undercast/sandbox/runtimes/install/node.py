"""Node.js from npm's registry: the interpreter, and the SDK that AWS's runtime includes.

The packages `node-<system>-<processor>` hold Node.js's own builds. The SDK is installed by npm itself: that of PATH,
else the package `npm` of the registry.
AWS: Lambda Developer Guide, "Building Lambda functions with Node.js", "Runtime-included SDK versions".
"""

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undercast.core.record import record
from undercast.sandbox.runtimes.install.downloads import (
    InstallError,
    Progress,
    download,
    read_json,
    replacing,
    unpack,
)
from undercast.sandbox.runtimes.lookup import Interpreter

REGISTRY = "https://registry.npmjs.org"
_ABBREVIATED = "application/vnd.npm.install-v1+json"
_SDK_LIMIT_S = 900
_SYSTEMS = {"linux": "linux", "darwin": "darwin"}
_PROCESSORS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_OLD_NPM_BELOW = 18
_CLIENTS = (
    "api-gateway", "apigatewaymanagementapi", "apigatewayv2", "cloudformation", "cloudwatch", "cloudwatch-logs",
    "codedeploy", "cognito-identity", "cognito-identity-provider", "dynamodb", "dynamodb-streams", "ec2", "ecs",
    "elastic-load-balancing-v2", "eventbridge", "firehose", "iam", "kinesis", "kms", "lambda", "rds-data", "s3",
    "scheduler", "secrets-manager", "ses", "sesv2", "sfn", "sns", "sqs", "ssm", "sts", "xray",
)  # fmt: skip
SDK_3 = (
    *(f"@aws-sdk/client-{name}@3" for name in _CLIENTS),
    *(f"@aws-sdk/{name}@3" for name in ("lib-dynamodb", "lib-storage", "util-dynamodb", "credential-providers")),
    *(f"@aws-sdk/{name}@3" for name in ("s3-request-presigner", "s3-presigned-post")),
)
"""Of the 400 clients that AWS includes, those of what Undercast serves and what its users' functions use most."""
SDK_2 = ("aws-sdk@2",)


@record
class Package:
    """One version of a package in npm's registry."""

    name: str
    version: str
    url: str
    integrity: str


def newest(document: Mapping[str, Any], major: int) -> Package | None:
    """The newest version of a major one in a registry's document; never a pre-release."""
    versions = [v for v in document.get("versions", {}) if re.fullmatch(rf"{major}\.\d+\.\d+", v)]
    if not versions:
        return None
    version = max(versions, key=lambda text: tuple(map(int, text.split("."))))
    distribution = document["versions"][version].get("dist", {})
    url, integrity = distribution.get("tarball"), distribution.get("integrity")
    if not isinstance(url, str) or not isinstance(integrity, str):
        raise InstallError(f"the registry has no digest of {document.get('name')} {version}")
    return Package(name=str(document.get("name")), version=version, url=url, integrity=integrity)


def install_interpreter(major: int, installs: Path, progress: Progress, registry: str = REGISTRY) -> Path:
    """Fetch the newest Node.js of a major version; the folder it is in. Raises InstallError."""
    name = _build_name()
    package = newest(read_json(f"{registry}/{name}", _ABBREVIATED), major)
    if package is None:
        raise InstallError(f"npm's registry has no Node.js {major} for this machine ({name})")
    place = installs / "nodejs" / package.version
    if not (place / "bin/node").exists():
        _fetch(package, place, progress)
        (place / "bin/node").chmod(0o755)
    return place


def install_sdk(place: Path, packages: tuple[str, ...], node: Interpreter, progress: Progress) -> None:
    """Have npm install packages into a folder. Raises InstallError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place) as draft:
        npm = _npm(node, draft, progress)
        progress(f"npm install, {len(packages)} packages", 0, 0)
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--no-package-lock", "--silent")
        command = [*npm, "install", "--prefix", str(draft), *options, *packages]
        (draft / "package.json").write_text('{"private": true}\n')
        try:
            done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=_SDK_LIMIT_S, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            raise InstallError(f"npm could not install {packages[0]}: {error}") from error
        if done.returncode or not (draft / "node_modules").is_dir():
            raise InstallError(f"npm could not install {packages[0]}: {(done.stderr or done.stdout).strip()[-2000:]}")
        shutil.rmtree(draft / "npm", ignore_errors=True)


def _npm(node: Interpreter, draft: Path, progress: Progress) -> list[str]:
    found = shutil.which("npm")
    if found is not None:
        return [found]
    package = newest(read_json(f"{REGISTRY}/npm", _ABBREVIATED), 6 if node.version[0] < _OLD_NPM_BELOW else 10)
    if package is None:
        raise InstallError("npm's registry has no npm")
    _fetch(package, draft / "npm", progress)
    return [str(node.path), str(draft / "npm/bin/npm-cli.js")]


def _fetch(package: Package, place: Path, progress: Progress) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place) as draft:
        archive = place.with_name(f"{place.name}.tgz")
        try:
            download(package.url, archive, package.integrity, progress)
            unpack(archive, draft)
        finally:
            archive.unlink(missing_ok=True)


def _build_name() -> str:
    system, processor = _SYSTEMS.get(sys.platform), _PROCESSORS.get(platform.machine().lower())
    if system is None or processor is None:
        raise InstallError(f"npm's registry has no Node.js for {sys.platform} on {platform.machine()}")
    return f"node-{system}-{processor}"
