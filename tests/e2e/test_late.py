"""Libraries that a platform loads when they are first asked for: it is idle without them, and right with them."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.platform import RunningPlatform, running

Clients = Mapping[str, Any]

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the libraries of a process: Linux only")


@pytest.fixture
def idle() -> Iterator[RunningPlatform]:
    """A platform whose start is over, and of which nothing was asked."""
    with running() as platform:
        assert platform.ask("/_undercast/status")["driver"]
        yield platform


def has_cryptography(platform: RunningPlatform) -> bool:
    """Whether its main process maps the library."""
    return "/cryptography/" in Path(f"/proc/{platform.process.pid}/maps").read_text()


def encrypted_and_back(clients: Clients, number: int) -> bool:
    kms, text = clients["kms"], f"text {number}".encode()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=text)["CiphertextBlob"]
    return bool(kms.decrypt(CiphertextBlob=blob)["Plaintext"] == text)


def signed_by_a_pair(clients: Clients, number: int) -> bool:
    kms, message, algorithm = clients["kms"], f"message {number}".encode(), "ECDSA_SHA_256"
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    signature = kms.sign(KeyId=key, Message=message, SigningAlgorithm=algorithm)["Signature"]
    verified = kms.verify(KeyId=key, Message=message, Signature=signature, SigningAlgorithm=algorithm)
    return bool(verified["SignatureValid"])


def kept_as_secret(clients: Clients, number: int) -> bool:
    secrets = clients["secretsmanager"]
    arn = secrets.create_secret(Name=f"secret-{number}", SecretString=f"value {number}")["ARN"]
    return bool(secrets.get_secret_value(SecretId=arn)["SecretString"] == f"value {number}")


def kept_as_secure_string(clients: Clients, number: int) -> bool:
    ssm, name = clients["ssm"], f"/secure/{number}"
    ssm.put_parameter(Name=name, Value="a" * 5000, Type="SecureString", Tier="Advanced")
    return bool(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "a" * 5000)


def published_with_signature(clients: Clients, number: int) -> bool:
    sns, sqs = clients["sns"], clients["sqs"]
    topic = sns.create_topic(Name=f"topic-{number}")["TopicArn"]
    url = sqs.create_queue(QueueName=f"queue-{number}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message=f"message {number}")
    body = json.loads(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]["Body"])
    return bool(body["Message"] == f"message {number}" and body["Signature"])


USES: tuple[Callable[[Clients, int], bool], ...] = (
    encrypted_and_back,
    signed_by_a_pair,
    kept_as_secret,
    kept_as_secure_string,
    published_with_signature,
)


def test_the_first_uses_of_cryptography_come_all_at_once(idle: RunningPlatform) -> None:
    """An idle platform has not loaded it; then each service that needs it is asked twice at the same time."""
    idle.client("s3").create_bucket(Bucket="plain")
    assert not has_cryptography(idle)
    clients = {name: idle.client(name) for name in ("kms", "secretsmanager", "ssm", "sns", "sqs")}
    with ThreadPoolExecutor(2 * len(USES)) as threads:
        asked = [(use.__name__, threads.submit(use, clients, number)) for number in range(2) for use in USES]
        assert {name: answer.result() for name, answer in asked} == {use.__name__: True for use in USES}
    assert has_cryptography(idle)
