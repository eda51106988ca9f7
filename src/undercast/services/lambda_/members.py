"""Every input member of every operation that Lambda serves, in one of three classes (I9).

`make test` checks the classes against AWS's model (decision 3). Members that tools send empty are *stored*: a value
that would have an effect which is missing here is refused in `configuration` by name.
"""

from collections.abc import Mapping

_NAME = frozenset({"FunctionName"})
_QUALIFIED = frozenset({"FunctionName", "Qualifier"})
_PAGED = frozenset({"FunctionName", "Marker", "MaxItems"})
_INVOKE_CONFIG = frozenset(
    {"FunctionName", "Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"}
)
_URL = frozenset({"AuthType", "Cors", "InvokeMode"})
_SIGNING = frozenset({"CodeSigningConfigArn"})
_MAPPING = frozenset({
    "FunctionName", "Enabled", "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig",
    "FilterCriteria", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError",
    "DestinationConfig", "ParallelizationFactor", "TumblingWindowInSeconds", "MetricsConfig", "ProvisionedPollerConfig",
})  # fmt: skip
_LAYER_VERSION = frozenset({"LayerName", "VersionNumber"})
_LAYER_FILTERS = frozenset({"CompatibleArchitecture", "CompatibleRuntime", "Marker", "MaxItems"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateFunction": frozenset({
        "FunctionName", "Runtime", "Role", "Handler", "Code", "Description", "Timeout", "MemorySize", "Publish",
        "PackageType", "Environment", "Tags", "EphemeralStorage", "LoggingConfig", "TracingConfig",
        "Layers", "DeadLetterConfig", "SnapStart", "ImageConfig",
    }),
    "GetFunction": _QUALIFIED,
    "GetFunctionConfiguration": _QUALIFIED,
    "ListFunctions": frozenset({"FunctionVersion", "Marker", "MaxItems"}),
    "DeleteFunction": _QUALIFIED,
    "UpdateFunctionCode": frozenset({
        "FunctionName", "ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "S3ObjectStorageMode", "Publish", "DryRun",
        "RevisionId", "ImageUri",
    }),
    "UpdateFunctionConfiguration": frozenset({
        "FunctionName", "Role", "Handler", "Description", "Timeout", "MemorySize", "Environment", "Runtime",
        "RevisionId", "EphemeralStorage", "LoggingConfig", "TracingConfig", "Layers",
        "DeadLetterConfig", "SnapStart", "ImageConfig",
    }),
    "PublishVersion": frozenset({"FunctionName", "CodeSha256", "Description", "RevisionId"}),
    "ListVersionsByFunction": _PAGED,
    "CreateAlias": frozenset({"FunctionName", "Name", "FunctionVersion", "Description", "RoutingConfig"}),
    "GetAlias": frozenset({"FunctionName", "Name"}),
    "UpdateAlias": frozenset({"FunctionName", "Name", "FunctionVersion", "Description", "RoutingConfig", "RevisionId"}),
    "DeleteAlias": frozenset({"FunctionName", "Name"}),
    "ListAliases": _PAGED | {"FunctionVersion"},
    "AddPermission": frozenset({
        "FunctionName", "StatementId", "Action", "Principal", "SourceArn", "FunctionUrlAuthType",
        "InvokedViaFunctionUrl", "SourceAccount", "EventSourceToken", "Qualifier", "RevisionId", "PrincipalOrgID",
    }),
    "GetPolicy": _QUALIFIED,
    "RemovePermission": _QUALIFIED | {"StatementId", "RevisionId"},
    "PublishLayerVersion": frozenset({
        "LayerName", "Description", "Content", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo",
    }),
    "ListLayers": _LAYER_FILTERS,
    "ListLayerVersions": _LAYER_FILTERS | {"LayerName"},
    "GetLayerVersion": _LAYER_VERSION,
    "GetLayerVersionByArn": frozenset({"Arn"}),
    "DeleteLayerVersion": _LAYER_VERSION,
    "AddLayerVersionPermission": _LAYER_VERSION | {
        "StatementId", "Action", "Principal", "OrganizationId", "RevisionId",
    },
    "GetLayerVersionPolicy": _LAYER_VERSION,
    "RemoveLayerVersionPermission": _LAYER_VERSION | {"StatementId", "RevisionId"},
    "PutResourcePolicy": frozenset({"ResourceArn", "Policy", "RevisionId"}),
    "GetResourcePolicy": frozenset({"ResourceArn"}),
    "DeleteResourcePolicy": frozenset({"ResourceArn", "RevisionId"}),
    "TagResource": frozenset({"Resource", "Tags"}),
    "UntagResource": frozenset({"Resource", "TagKeys"}),
    "ListTags": frozenset({"Resource"}),
    "PutFunctionConcurrency": frozenset({"FunctionName", "ReservedConcurrentExecutions"}),
    "GetFunctionConcurrency": _NAME,
    "DeleteFunctionConcurrency": _NAME,
    "PutProvisionedConcurrencyConfig": _QUALIFIED | {"ProvisionedConcurrentExecutions"},
    "GetProvisionedConcurrencyConfig": _QUALIFIED,
    "ListProvisionedConcurrencyConfigs": _PAGED,
    "DeleteProvisionedConcurrencyConfig": _QUALIFIED,
    "PutFunctionRecursionConfig": frozenset({"FunctionName", "RecursiveLoop"}),
    "GetFunctionRecursionConfig": _NAME,
    "PutFunctionEventInvokeConfig": _INVOKE_CONFIG,
    "GetFunctionEventInvokeConfig": _QUALIFIED,
    "UpdateFunctionEventInvokeConfig": _INVOKE_CONFIG,
    "DeleteFunctionEventInvokeConfig": _QUALIFIED,
    "ListFunctionEventInvokeConfigs": _PAGED,
    "CreateFunctionUrlConfig": _QUALIFIED | _URL,
    "GetFunctionUrlConfig": _QUALIFIED,
    "UpdateFunctionUrlConfig": _QUALIFIED | _URL,
    "DeleteFunctionUrlConfig": _QUALIFIED,
    "ListFunctionUrlConfigs": _PAGED,
    "GetAccountSettings": frozenset(),
    "CreateEventSourceMapping": _MAPPING | {"EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "Tags"},
    "GetEventSourceMapping": frozenset({"UUID"}),
    "ListEventSourceMappings": _PAGED | {"EventSourceArn"},
    "UpdateEventSourceMapping": _MAPPING | {"UUID"},
    "DeleteEventSourceMapping": frozenset({"UUID"}),
    "CreateCodeSigningConfig": frozenset({"Tags"}),
    "GetCodeSigningConfig": _SIGNING,
    "UpdateCodeSigningConfig": _SIGNING,
    "DeleteCodeSigningConfig": _SIGNING,
    "ListCodeSigningConfigs": frozenset({"Marker", "MaxItems"}),
    "PutFunctionCodeSigningConfig": _NAME,
    "GetFunctionCodeSigningConfig": _NAME,
    "DeleteFunctionCodeSigningConfig": _NAME,
    "ListFunctionsByCodeSigningConfig": _SIGNING | {"Marker", "MaxItems"},
    "PutRuntimeManagementConfig": _QUALIFIED,
    "GetRuntimeManagementConfig": _QUALIFIED,
    "Invoke": frozenset({"FunctionName", "InvocationType", "LogType", "ClientContext", "Payload", "Qualifier"}),
    "InvokeAsync": frozenset({"FunctionName", "InvokeArgs"}),
    "InvokeWithResponseStream": frozenset(
        {"FunctionName", "InvocationType", "LogType", "ClientContext", "Payload", "Qualifier"}
    ),
}  # fmt: skip

_STORED_CONFIGURATION = {
    "VpcConfig": "there are no subnets: each function has a loopback of its own, and what it may reach is relayed",
    "KMSKeyArn": "environment variables are not encrypted here",
    "FileSystemConfigs": "an empty list only; there is no EFS",
}
_ARCHITECTURES = {
    "Architectures": "which image of an index is taken, and what an image must be for. For packages read back only: "
    "interpreted code runs on this machine's processor whatever it says; a native program that is built for another "
    "one fails at its first INIT with an error that names both"
}

_UNSIGNED = "there is no AWS Signer: no signature is looked at, with either policy"
_SIGNING_MEMBERS = dict.fromkeys(("Description", "AllowedPublishers", "CodeSigningPolicies"), _UNSIGNED)
_FILTER_KEY = {"KMSKeyArn": "filter criteria are not encrypted here"}
_ONE_RUNTIME = "the runtimes are those of this machine and are never updated by the platform"

STORED: Mapping[str, Mapping[str, str]] = {
    "CreateFunction": {**_STORED_CONFIGURATION, **_ARCHITECTURES, "CodeSigningConfigArn": _UNSIGNED},
    "CreateCodeSigningConfig": _SIGNING_MEMBERS,
    "UpdateCodeSigningConfig": _SIGNING_MEMBERS,
    "PutFunctionCodeSigningConfig": {"CodeSigningConfigArn": _UNSIGNED},
    "PutRuntimeManagementConfig": {"UpdateRuntimeOn": _ONE_RUNTIME, "RuntimeVersionArn": _ONE_RUNTIME},
    "UpdateFunctionConfiguration": _STORED_CONFIGURATION,
    "UpdateFunctionCode": _ARCHITECTURES,
    "CreateEventSourceMapping": _FILTER_KEY,
    "UpdateEventSourceMapping": _FILTER_KEY,
    "ListFunctions": {"MasterRegion": "there are no Lambda@Edge replicas; only the own region's functions exist"},
}

_PUBLISH_TO = {"PublishTo": "there are no capacity providers"}
_LATER_KINDS = {
    "CapacityProviderConfig": "there are no capacity providers",
    "DurableConfig": "durable functions are not supported",
    "RuntimeConfig": "runtimes are those of this machine",
    "AcceleratorConfig": "there are no accelerators",
}

_BROKERS = "Kafka, MQ and DocumentDB are no event sources here"
_MAPPING_REFUSED = {
    "LoggingConfig": "event source mappings have no log here",
    **dict.fromkeys(
        (
            "SourceAccessConfigurations",
            "AmazonManagedKafkaEventSourceConfig",
            "SelfManagedKafkaEventSourceConfig",
            "DocumentDBEventSourceConfig",
        ),
        _BROKERS,
    ),
}

REFUSED: Mapping[str, Mapping[str, str]] = {
    "CreateFunction": {
        **_LATER_KINDS,
        **_PUBLISH_TO,
        "TenancyConfig": "tenant isolation is not supported",
    },
    "UpdateFunctionConfiguration": _LATER_KINDS,
    "CreateEventSourceMapping": {
        **_MAPPING_REFUSED,
        **dict.fromkeys(("Topics", "Queues", "SelfManagedEventSource"), _BROKERS),
    },
    "UpdateEventSourceMapping": _MAPPING_REFUSED,
    "UpdateFunctionCode": {
        **_PUBLISH_TO,
        "SourceKMSKeyArn": "packages are kept unencrypted, so no key of KMS would be asked for them",
    },
    "PublishVersion": _PUBLISH_TO,
    "Invoke": {
        "DurableExecutionName": "durable functions are not supported",
        "TenantId": "tenant isolation is not supported",
    },
    "InvokeWithResponseStream": {"TenantId": "tenant isolation is not supported"},
}
