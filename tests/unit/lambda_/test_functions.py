"""Functions: create, read, update, publish, delete."""

import asyncio
from typing import Any

import pytest

from tests.unit.lambda_.conftest import CODE, OTHER_CODE, ROLE, World, zip_of
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest

ARN = "arn:aws:lambda:us-west-2:111122223333:function:f"


async def refused(world: World, operation: str, **params: Any) -> ServiceError:
    """The error of a call that must fail."""
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **params)
    return caught.value


async def test_function_is_pending_until_its_code_is_unpacked(world: World) -> None:
    """CreateFunction answers Pending/Creating; the function becomes Active, LastUpdateStatus Successful."""
    made = await world.call(
        "CreateFunction",
        FunctionName="f", Runtime="go1.x", Role=ROLE, Handler="main", Code={"ZipFile": CODE},
    )  # fmt: skip
    assert (made["State"], made["StateReasonCode"], "LastUpdateStatus" in made) == ("Pending", "Creating", False)
    early = await refused(world, "Invoke", FunctionName="f")
    assert (early.code, early.status) == ("ResourceConflictException", 409)
    await world.functions.deployments.idle()
    found = await world.call("GetFunctionConfiguration", FunctionName="f")
    assert (found["State"], found["LastUpdateStatus"], "StateReason" in found) == ("Active", "Successful", False)
    assert found["FunctionArn"] == ARN
    assert (found["MemorySize"], found["Timeout"], found["Version"]) == (128, 3, "$LATEST")
    assert (world.folder / "code").is_dir()


async def test_second_function_of_a_name_is_a_conflict(world: World) -> None:
    """409 ResourceConflictException: "Function already exist: f"."""
    await world.create()
    error = await refused(
        world, "CreateFunction",
        FunctionName="f", Runtime="python3.12", Role=ROLE, Handler="a.b", Code={"ZipFile": CODE},
    )  # fmt: skip
    assert (error.code, error.message, error.status) == ("ResourceConflictException", "Function already exist: f", 409)


async def test_function_name_takes_every_form_of_arn(world: World) -> None:
    """A name, a partial ARN and an ARN, each with or without a qualifier."""
    await world.create(Publish=True)
    for name, arn in (
        ("f", ARN),
        ("function:f", ARN),
        ("111122223333:function:f", ARN),
        (ARN, ARN),
        (f"{ARN}:1", f"{ARN}:1"),
        ("f:$LATEST", f"{ARN}:$LATEST"),
    ):
        assert (await world.call("GetFunctionConfiguration", FunctionName=name))["FunctionArn"] == arn
    other = await refused(world, "GetFunction", FunctionName="arn:aws:lambda:eu-west-1:111122223333:function:f")
    assert other.message == "Functions from 'eu-west-1' are not reachable in this region ('us-west-2')"
    both = await refused(world, "GetFunction", FunctionName="f:1", Qualifier="2")
    assert both.message == "The derived qualifier from the function name does not match the specified qualifier."


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"MemorySize": 10241}, "'MemorySize' value failed to satisfy constraint: Member must have value less than or"
         " equal to 10240"),
        ({"Timeout": 901}, "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member"
         " must have value less than or equal to 900"),
        ({"Handler": ""}, "Runtime and Handler are mandatory parameters for functions created with deployment"
         " packages."),
        ({"Environment": {"Variables": {"AWS_REGION": "x", "A": "b", "LAMBDA_TASK_ROOT": "y"}}},
         "Lambda was unable to configure your environment variables because the environment variables you have provided"
         " contains reserved keys that are currently not supported for modification. Reserved keys used in this"
         " request: AWS_REGION, LAMBDA_TASK_ROOT"),
        ({"Role": ROLE.replace("worker", "closed")}, "The role defined for the function cannot be assumed by Lambda."),
        ({"Code": {}}, "Please provide a source for function code."),
        ({"Code": {"ZipFile": b"no zip"}}, "Could not unzip uploaded file. Please check your file, then try to upload"
         " again."),
        ({"Code": {"S3Bucket": "code", "S3Key": "none"}}, "Error occurred while GetObject. S3 Error Code: NoSuchKey."
         " S3 Error Message: The specified key does not exist."),
        ({"Layers": ["arn:aws:lambda:us-west-2:111122223333:layer:l:1"]}, "Layer version"
         " arn:aws:lambda:us-west-2:111122223333:layer:l:1 does not exist."),
    ],
)  # fmt: skip
async def test_limits_are_told_in_aws_words(world: World, members: dict[str, Any], message: str) -> None:
    """Lambda quotas; reserved environment variables."""
    with pytest.raises(ServiceError) as caught:
        await world.create(**members)
    assert caught.value.message == message
    assert (await world.call("ListFunctions"))["Functions"] == []


async def test_environment_is_limited_to_4_kb(world: World) -> None:
    """All names and values together."""
    await world.create("fits", Environment={"Variables": {"A": "x" * 4088}})
    with pytest.raises(ServiceError, match="exceeded the 4KB limit"):
        await world.create(Environment={"Variables": {"A": "x" * 4089}})


async def test_unknown_runtime_is_refused_and_deprecated_ones_are_not(world: World) -> None:
    """X9: deprecated runtime identifiers must be accepted."""
    for number, runtime in enumerate(("go1.x", "nodejs4.3", "python2.7", "provided", "java11")):
        await world.create(f"f{number}", Runtime=runtime)
    with pytest.raises(ServiceError, match="Value python9 at 'runtime' failed to satisfy constraint"):
        await world.create(Runtime="python9")


async def test_code_comes_from_s3(world: World) -> None:
    """Code with S3Bucket and S3Key; a refusal of S3 is a 403 of Lambda's."""
    made = await world.create(Code={"S3Bucket": "code", "S3Key": "code.zip"})
    assert made["CodeSize"] == len(CODE)
    with pytest.raises(ServiceError) as caught:
        await world.create("g", Code={"S3Bucket": "locked", "S3Key": "code.zip"})
    assert (caught.value.code, caught.value.status) == ("AccessDeniedException", 403)


async def test_location_gives_the_package_until_it_expires(world: World) -> None:
    """Code.Location: a URL that is valid for ten minutes."""
    await world.create()
    url = (await world.call("GetFunction", FunctionName="f"))["Code"]["Location"]
    request = HttpRequest(
        method="GET", target=url.removeprefix("http://localhost:4566"), headers={}, body=BodyStream.of(b"")
    )
    answer = await world.functions.locations.serve(request)
    assert not isinstance(answer.body, bytes)
    assert b"".join([piece async for piece in answer.body]) == CODE
    forged = HttpRequest(method="GET", target=request.target[:-1] + "x", headers={}, body=BodyStream.of(b""))
    with pytest.raises(ServiceError, match="SignatureDoesNotMatch"):
        await world.functions.locations.serve(forged)
    world.clock.tick(601)
    with pytest.raises(ServiceError, match="expired"):
        await world.functions.locations.serve(request)


async def test_updated_code_is_served_when_the_update_is_successful(world: World) -> None:
    """While LastUpdateStatus is InProgress the earlier code serves invokes and a further change is a conflict."""
    first = await world.create()
    changed = await world.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER_CODE)
    assert (changed["LastUpdateStatus"], changed["State"]) == ("InProgress", "Active")
    busy = await refused(world, "UpdateFunctionConfiguration", FunctionName="f", Timeout=5)
    assert busy.message == (
        f"The operation cannot be performed at this time. An update is in progress for resource: {ARN}"
    )
    await world.call("Invoke", FunctionName="f")
    await world.functions.deployments.idle()
    await world.call("Invoke", FunctionName="f")
    before, after = world.environments.invocations
    assert before.function.revision == first["RevisionId"]
    assert after.function.revision == changed["RevisionId"]
    assert before.function.code_sha256 != after.function.code_sha256
    assert (ARN, "$LATEST") in world.environments.retired


async def test_code_that_nothing_needs_is_removed_once_its_invocations_end(world: World) -> None:
    """The unpacked folder goes; the package of another function with the same code stays."""
    await world.create("f")
    await world.create("twin")
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(invocation: Any) -> Any:
        begun.set()
        await finish.wait()
        return await type(world.environments)().answer(invocation)

    world.environments.answer = slow
    running = asyncio.create_task(world.call("Invoke", FunctionName="f"))
    await begun.wait()
    folder = world.environments.invocations[0].function.code_dir
    await world.call("DeleteFunction", FunctionName="twin")
    await world.call("DeleteFunction", FunctionName="f")
    assert folder.is_dir()
    finish.set()
    await running
    await world.functions.deployments.idle()
    assert not folder.exists()
    assert await world.functions.blobs.audit() == ()


async def test_update_needs_the_current_revision(world: World) -> None:
    """412 PreconditionFailedException."""
    made = await world.create()
    error = await refused(world, "UpdateFunctionConfiguration", FunctionName="f", RevisionId="old", Timeout=9)
    assert (error.code, error.status) == ("PreconditionFailedException", 412)
    changed = await world.call(
        "UpdateFunctionConfiguration", FunctionName="f", RevisionId=made["RevisionId"], Timeout=9
    )
    assert (changed["Timeout"], changed["MemorySize"]) == (9, 128)


async def test_dry_run_of_a_code_update_changes_nothing(world: World) -> None:
    """UpdateFunctionCode with DryRun validates and answers as if."""
    made = await world.create()
    shown = await world.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER_CODE, DryRun=True)
    assert shown["CodeSha256"] != made["CodeSha256"]
    assert (await world.call("GetFunctionConfiguration", FunctionName="f"))["CodeSha256"] == made["CodeSha256"]


async def test_published_version_keeps_its_configuration(world: World) -> None:
    """Versions are immutable; publishing an unchanged function returns the last version; numbers are not reused."""
    await world.create(Environment={"Variables": {"BUCKET": "Test"}}, Publish=True)
    again = await world.call("PublishVersion", FunctionName="f")
    assert (again["Version"], again["FunctionArn"]) == ("1", f"{ARN}:1")
    await world.call("UpdateFunctionConfiguration", FunctionName="f", Environment={"Variables": {"BUCKET": "Prod"}})
    await world.functions.deployments.idle()
    second = await world.call("PublishVersion", FunctionName="f", Description="two")
    assert (second["Version"], second["Description"], second["State"]) == ("2", "two", "Active")
    await world.call("Invoke", FunctionName="f", Qualifier="1")
    await world.call("Invoke", FunctionName="f:2")
    assert [one.function.environment["BUCKET"] for one in world.environments.invocations] == ["Test", "Prod"]
    listed = (await world.call("ListVersionsByFunction", FunctionName="f"))["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1", "2"]
    await world.call("DeleteFunction", FunctionName="f")
    await world.create(Publish=True)
    assert (await world.call("PublishVersion", FunctionName="f"))["Version"] == "3"


async def test_functions_are_listed_in_pages(world: World) -> None:
    """Marker and NextMarker; FunctionVersion=ALL lists versions too."""
    for name in ("c", "a", "b"):
        await world.create(name, Publish=name == "a")
    first = await world.call("ListFunctions", MaxItems=2)
    rest = await world.call("ListFunctions", Marker=first["NextMarker"])
    assert [one["FunctionName"] for one in first["Functions"] + rest["Functions"]] == ["a", "b", "c"]
    every = await world.call("ListFunctions", FunctionVersion="ALL")
    assert [one["FunctionArn"].rpartition(":")[2] for one in every["Functions"]] == [
        "$LATEST",
        "1",
        "$LATEST",
        "$LATEST",
    ]


async def test_version_that_an_alias_names_cannot_be_deleted(world: World) -> None:
    """DeleteFunction with a Qualifier; $LATEST goes only with the function."""
    await world.create(Publish=True)
    await world.call("CreateAlias", FunctionName="f", Name="prod", FunctionVersion="1")
    error = await refused(world, "DeleteFunction", FunctionName="f", Qualifier="1")
    assert error.message == "Unable to delete version because the following aliases reference it: [prod]"
    latest = await refused(world, "DeleteFunction", FunctionName="f", Qualifier="$LATEST")
    assert latest.message == "$LATEST version cannot be deleted without deleting the function."
    await world.call("DeleteAlias", FunctionName="f", Name="prod")
    await world.call("DeleteFunction", FunctionName="f", Qualifier="1")
    missing = await refused(world, "GetFunction", FunctionName="f", Qualifier="1")
    assert missing.message == f"Function not found: {ARN}:1"


async def test_alias_sends_its_share_to_the_second_version(world: World) -> None:
    """RoutingConfig.AdditionalVersionWeights; ExecutedVersion tells which version ran."""
    await world.create(Publish=True)
    await world.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER_CODE, Publish=True)
    await world.functions.deployments.idle()
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    await world.call("CreateAlias", FunctionName="f", Name="prod", FunctionVersion="1", RoutingConfig=routing)
    ran = [(await world.call("Invoke", FunctionName="f:prod"))["ExecutedVersion"] for _ in range(40)]
    assert 5 <= ran.count("2") <= 15
    assert world.environments.invocations[0].invoked_arn == f"{ARN}:prod"
    await world.call("UpdateAlias", FunctionName="f", Name="prod", FunctionVersion="2", RoutingConfig={})
    assert (await world.call("Invoke", FunctionName="f", Qualifier="prod"))["ExecutedVersion"] == "2"


async def test_unfinished_creation_is_finished_at_the_next_start(world: World) -> None:
    """A platform that was killed between commit and unpacking: the function becomes Active after the start."""
    await world.call(
        "CreateFunction",
        FunctionName="f", Runtime="python3.12", Role=ROLE, Handler="app.handler", Code={"ZipFile": CODE},
    )  # fmt: skip
    await world.functions.deployments.stop()
    (world.folder / "code" / "leftover").mkdir(parents=True)
    await world.functions.deployments.resume()
    await world.functions.deployments.idle()
    assert (await world.call("GetFunctionConfiguration", FunctionName="f"))["State"] == "Active"
    assert not (world.folder / "code" / "leftover").exists()


async def test_account_settings_tell_what_is_used(world: World) -> None:
    """GetAccountSettings: limits and usage."""
    await world.create("a")
    await world.create("b", Publish=True)
    await world.call("PutFunctionConcurrency", FunctionName="a", ReservedConcurrentExecutions=400)
    found = await world.call("GetAccountSettings")
    assert found["AccountUsage"] == {"TotalCodeSize": 3 * len(CODE), "FunctionCount": 2}
    assert found["AccountLimit"]["UnreservedConcurrentExecutions"] == 600
    with pytest.raises(ServiceError, match=r"below its minimum value of \[100\]"):
        await world.call("PutFunctionConcurrency", FunctionName="b", ReservedConcurrentExecutions=501)


async def test_tags_belong_to_the_function(world: World) -> None:
    """TagResource, UntagResource, ListTags; GetFunction shows them."""
    await world.create(Tags={"a": "1"})
    await world.call("TagResource", Resource=ARN, Tags={"b": "2"})
    await world.call("UntagResource", Resource=ARN, TagKeys=["a"])
    assert await world.call("ListTags", Resource=ARN) == {"Tags": {"b": "2"}}
    assert (await world.call("GetFunction", FunctionName="f"))["Tags"] == {"b": "2"}


async def test_large_upload_is_refused_with_the_request_limit(world: World) -> None:
    """50 MB is the limit of a zip in the request."""
    with pytest.raises(ServiceError) as caught:
        await world.create(code=zip_of({"x": "y"}) + bytes(52_428_800))
    assert caught.value.status == 413
    assert caught.value.message == "Request must be smaller than 70167211 bytes for the CreateFunction operation"


async def test_version_cannot_be_changed(world: World) -> None:
    """Updates, concurrency and publishing are about the function; a qualified name is refused."""
    await world.create(Publish=True)
    for operation, params in (
        ("UpdateFunctionConfiguration", {"Timeout": 9}),
        ("UpdateFunctionCode", {"ZipFile": OTHER_CODE}),
        ("PutFunctionConcurrency", {"ReservedConcurrentExecutions": 1}),
        ("PublishVersion", {}),
    ):
        error = await refused(world, operation, FunctionName="f:1", **params)
        assert error.message.startswith("This operation is permitted on Lambda functions only.")
    changed = await world.call("UpdateFunctionConfiguration", FunctionName="f:$LATEST", Timeout=9)
    assert changed["Timeout"] == 9


async def test_function_deleted_while_pending_leaves_nothing(world: World) -> None:
    """Neither an error in a task nor code on disk."""
    await world.call(
        "CreateFunction",
        FunctionName="f", Runtime="python3.12", Role=ROLE, Handler="app.handler", Code={"ZipFile": CODE},
    )  # fmt: skip
    await world.call("DeleteFunction", FunctionName="f")
    await world.functions.deployments.idle()
    assert [path.name for path in (world.folder / "code").iterdir() if path.name != ".work"] == []
    assert await world.functions.blobs.audit() == ()
