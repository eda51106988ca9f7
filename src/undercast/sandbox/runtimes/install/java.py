"""AWS's runtime client for Java and what it needs, from Maven Central. A JVM itself comes from the user's system.

Versions and digests are pinned here, so that nothing else is ever run.
"""

from pathlib import Path

from undercast.sandbox.runtimes.install.downloads import Progress, download, replacing
from undercast.sandbox.runtimes.java import CLIENT_VERSION, client_folder

CENTRAL = "https://repo1.maven.org/maven2"
JARS = (
    (
        f"com/amazonaws/aws-lambda-java-runtime-interface-client/{CLIENT_VERSION}",
        "b0dd01f45b7258da0e32ade0bff950b12d0cf279ccebf416ad8c3795af21f1db",
    ),
    ("com/amazonaws/aws-lambda-java-core/1.4.0", "575c24393cc1ad645e83e618956eabd89ffe8cc09efae2cb62bc6589154d68ed"),
    (
        "com/amazonaws/aws-lambda-java-serialization/1.2.0",
        "1513c1f945a3213f916a4b2de1760c97b51d84d110f82bbbcf9cfac53d5651e7",
    ),
    (
        "software/amazon/awssdk/annotations/2.34.0",
        "fafdcb55f4e5af603f5219f4a2b080aa0decb562a7c0944f7a7eca82dd47e487",
    ),
    (
        "software/amazon/awssdk/utils-lite/2.34.0",
        "efaf784f07ae526f0b5c89d71ef21cf16636131c47d44616e3df9bedc3f4f89a",
    ),
)
"""Folder in the repository -> SHA-256 of its jar."""


def install_client(installs: Path, progress: Progress, central: str = CENTRAL) -> None:
    """Fetch the jars. Raises InstallError."""
    place = client_folder(installs)
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place) as draft:
        for folder, digest in JARS:
            artifact, version = folder.split("/")[-2:]
            name = f"{artifact}-{version}.jar"
            download(f"{central}/{folder}/{name}", draft / name, f"sha256:{digest}", progress)
