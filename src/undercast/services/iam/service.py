"""The manifest of IAM.

Every input member of the operations served is effective, but for the few named in `REFUSED`.
AWS: IAM API Reference.
"""

from undercast.core.service import Manifest, operations_of
from undercast.services.iam.access import access, policy_of, tags_of
from undercast.services.iam.effective import EFFECTIVE
from undercast.services.iam.iam import Iam
from undercast.services.iam.operations import (
    access_keys,
    account,
    instance_profiles,
    lists,
    permissions,
    policies,
    roles,
    simulation,
    tagging,
    users,
)

_NO_ORGANIZATIONS = "there are no organizations here, so no service control policies"
_NO_EC2 = "simulations of EC2 resources are not offered"
REFUSED = {
    "SimulateCustomPolicy": {
        "OrderedOrganizationPolicyInputList": _NO_ORGANIZATIONS,
        "ResourceHandlingOption": _NO_EC2,
    },
    "SimulatePrincipalPolicy": {
        "PolicyExclusionList": "all policies of the principal take part",
        "ResourceHandlingOption": _NO_EC2,
    },
}

MANIFEST = Manifest(
    name="iam",
    build=Iam.build,
    operations=operations_of(
        access_keys, account, instance_profiles, lists, permissions, policies, roles, simulation, tagging, users
    ),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    refused=REFUSED,
    reset=Iam.forget,
    differences=(
        "aws:ResourceTag is the tags that DynamoDB, EventBridge, IAM (users, roles and policies), Kinesis, KMS, "
        "Lambda, Logs, Secrets Manager, SNS and SQS keep; for resources of other services a policy finds none. "
        "Actions that create something with tags need the tagging action in Kinesis and S3 only. "
        "lambda:SourceFunctionArn and aws:TokenIssueTime are never there, a session "
        "of a role goes on with a new role of the same ARN, and "
        "credentials of GetSessionToken may call IAM and STS like those of the user.",
        "Changes are in force at once; AWS needs some seconds.",
        "Principals of a trust policy are checked for their form; AWS also asks whether they exist.",
        "AWS's managed policies are those of a dated data file, each in one version.",
        "RoleLastUsed is always empty.",
        "Requests of iam:PassRole have the condition key iam:PassedToService; iam:AssociatedResourceArn is missing.",
        "OIDC and SAML providers, MFA devices, login profiles, server and signing certificates are not served.",
    ),
)
