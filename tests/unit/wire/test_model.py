"""What is held of AWS's models is bounded, and what has gone is read again the same.

AWS: the `service-2.json` files of botocore.
"""

from undercast.wire.codec import router
from undercast.wire.model import KEPT_MODELS, KEPT_SHAPES, catalogue, read_model

SERVICES = ("sqs", "sns", "kinesis", "ssm", "events", "dynamodb", "cloudwatch", "logs", "sts", "iam")


def test_shapes_of_few_services_are_held() -> None:
    """A client that speaks to all of AWS does not fill the memory with its models."""
    read_model.cache_clear()
    models = [catalogue().service(name) for name in SERVICES]
    assert [len(model.shapes) > 1 for model in models] == [True] * len(models)
    assert read_model.cache_info().currsize == KEPT_SHAPES
    assert catalogue().service("sqs").operations["SendMessage"].input.members.keys() >= {"QueueUrl", "MessageBody"}


def test_names_of_many_services_are_held() -> None:
    """Routes are asked on each request; shapes are not."""
    first = catalogue().service("sqs")
    for name in (*catalogue().entries,)[:KEPT_MODELS]:
        catalogue().service(name)
    again = catalogue().service("sqs")
    assert again is not first
    assert again.operations.keys() == first.operations.keys()


def test_routes_are_found_without_shapes() -> None:
    """ListObjects and ListObjectsV2 differ in a literal of the URI, parts in required parameters."""
    routes = router("s3")
    read_model.cache_clear()
    for query, operation in (
        ((("list-type", "2"),), "ListObjectsV2"),
        ((), "ListObjects"),
        ((("versions", ""),), "ListObjectVersions"),
    ):
        found = routes.find("GET", "/bucket", query, {})
        assert found is not None
        assert found[0].name == operation
    assert read_model.cache_info().currsize == 0


def test_an_exception_is_known_by_its_shape_and_by_its_code() -> None:
    """IAM's NoSuchEntityException has the code NoSuchEntity."""
    model = catalogue().service("iam")
    by_code, by_name = model.exception("NoSuchEntity"), model.exception("NoSuchEntityException")
    assert by_code is by_name
    assert by_code is not None
    assert by_code["error"]["httpStatusCode"] == 404
    assert model.exception("NoSuchThing") is None
