"""KMS through boto3: real keys, checked with `cryptography` where there is a public half.

AWS: KMS Developer Guide; API Reference, the operations named.
"""

import base64
import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from tests import platform as platforms
from tests.platform import RunningPlatform

DAY_S = 86_400


@pytest.fixture
def kms(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("kms", account=account)


def make(kms: Any, **settings: Any) -> str:
    """A key's id."""
    key_id: str = kms.create_key(**settings)["KeyMetadata"]["KeyId"]
    return key_id


def code(call: Any, **params: Any) -> str:
    """The error code that a call must give."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    text: str = caught.value.response["Error"]["Code"]
    return text


def test_what_is_encrypted_is_decrypted_with_its_context(kms: Any) -> None:
    """The context must be the same; the ciphertext names its key; a flipped bit is found."""
    key_id = make(kms, Description="d", Tags=[{"TagKey": "a", "TagValue": "b"}])
    context = {"service": "x", "id": "1"}
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"secret", EncryptionContext=context)
    assert b"secret" not in sealed["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", sealed["KeyId"])
    assert code(kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"]) == "InvalidCiphertextException"
    broken = bytearray(sealed["CiphertextBlob"])
    broken[-1] ^= 1
    assert code(kms.decrypt, CiphertextBlob=bytes(broken), EncryptionContext=context) == "InvalidCiphertextException"
    assert code(kms.decrypt, CiphertextBlob=b"not a ciphertext") == "InvalidCiphertextException"
    other = make(kms)
    given = {"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": context, "KeyId": other}
    assert code(kms.decrypt, **given) == "IncorrectKeyException"
    again = kms.re_encrypt(
        CiphertextBlob=sealed["CiphertextBlob"], SourceEncryptionContext=context, DestinationKeyId=other
    )
    assert kms.decrypt(CiphertextBlob=again["CiphertextBlob"], KeyId=other)["Plaintext"] == b"secret"


def test_data_keys_come_plain_and_sealed(kms: Any) -> None:
    """The sealed one opens to the plain one; either a spec or a number of bytes."""
    key_id = make(kms)
    made = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    assert len(made["Plaintext"]) == 32
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    hidden = kms.generate_data_key_without_plaintext(KeyId=key_id, NumberOfBytes=20)
    assert "Plaintext" not in hidden
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 20
    assert code(kms.generate_data_key, KeyId=key_id) == "ValidationException"
    pair = kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="ECC_NIST_P256")
    assert kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"] == pair["PrivateKeyPlaintext"]
    private: Any = load_der_private_key(pair["PrivateKeyPlaintext"], None)
    assert private.public_key() == load_der_public_key(pair["PublicKey"])
    assert len(kms.generate_random(NumberOfBytes=33)["Plaintext"]) == 33


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("RSA_2048", "RSASSA_PSS_SHA_256"),
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512"),
        ("ECC_NIST_P384", "ECDSA_SHA_384"),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
    ],
)
def test_signatures_are_real(kms: Any, spec: str, algorithm: str) -> None:
    """Verify takes them, and refuses them for another message."""
    key_id = make(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    given = {"KeyId": key_id, "SigningAlgorithm": algorithm}
    signature = kms.sign(**given, Message=b"message")["Signature"]
    assert kms.verify(**given, Message=b"message", Signature=signature)["SignatureValid"] is True
    assert code(kms.verify, **given, Message=b"other", Signature=signature) == "KMSInvalidSignatureException"
    public = kms.get_public_key(KeyId=key_id)
    assert algorithm in public["SigningAlgorithms"]
    key: Any = load_der_public_key(public["PublicKey"])
    if spec == "ECC_NIST_P384":
        key.verify(signature, b"message", ec.ECDSA(hashes.SHA384()))
    elif algorithm.startswith("RSASSA_PSS"):
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
        key.verify(signature, b"message", pss, hashes.SHA256())


def test_a_digest_is_signed_as_the_message_would_be(kms: Any) -> None:
    """MessageType DIGEST of the right length."""
    key_id = make(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    given = {"KeyId": key_id, "SigningAlgorithm": "ECDSA_SHA_256"}
    digest = hashlib.sha256(b"message").digest()
    signature = kms.sign(**given, Message=digest, MessageType="DIGEST")["Signature"]
    assert kms.verify(**given, Message=b"message", Signature=signature)["SignatureValid"] is True
    assert code(kms.sign, **given, Message=b"short", MessageType="DIGEST") == "ValidationException"


def test_rsa_encrypts_and_hmac_authenticates(kms: Any) -> None:
    """Outside encryption with the public half opens here."""
    key_id = make(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public: Any = load_der_public_key(kms.get_public_key(KeyId=key_id)["PublicKey"])
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    given = {"KeyId": key_id, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    assert kms.decrypt(CiphertextBlob=public.encrypt(b"outside", oaep), **given)["Plaintext"] == b"outside"
    assert code(kms.encrypt, Plaintext=b"x" * 300, **given) == "ValidationException"
    assert code(kms.encrypt, KeyId=key_id, Plaintext=b"x") == "InvalidKeyUsageException"
    mac_id = make(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    message: dict[str, Any] = {"KeyId": mac_id, "MacAlgorithm": "HMAC_SHA_256", "Message": b"m"}
    mac = kms.generate_mac(**message)["Mac"]
    assert kms.verify_mac(**message, Mac=mac)["MacValid"] is True
    assert code(kms.verify_mac, **message, Mac=b"0" * 32) == "KMSInvalidMacException"
    assert code(kms.encrypt, KeyId=mac_id, Plaintext=b"x") == "InvalidKeyUsageException"


def test_states_forbid_use(kms: Any) -> None:
    """Disabled and pending deletion, each with its error; a cancelled deletion leaves it disabled."""
    key_id = make(kms)
    kms.disable_key(KeyId=key_id)
    assert code(kms.encrypt, KeyId=key_id, Plaintext=b"x") == "DisabledException"
    kms.enable_key(KeyId=key_id)
    kms.encrypt(KeyId=key_id, Plaintext=b"x")
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert code(kms.encrypt, KeyId=key_id, Plaintext=b"x") == "KMSInvalidStateException"
    assert code(kms.enable_key, KeyId=key_id) == "KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"


def test_time_deletes_and_rotates() -> None:
    """After the waiting period a key is gone; after its period it has new material, and old ciphertexts still open."""
    with platforms.running() as running:
        kms = running.client("kms")
        doomed, kept = make(kms), make(kms)
        kms.schedule_key_deletion(KeyId=doomed, PendingWindowInDays=7)
        kms.enable_key_rotation(KeyId=kept, RotationPeriodInDays=90)
        sealed = kms.encrypt(KeyId=kept, Plaintext=b"before")["CiphertextBlob"]
        kms.rotate_key_on_demand(KeyId=kept)
        running.advance(91 * DAY_S)
        for _ in range(100):
            rotations = kms.list_key_rotations(KeyId=kept)["Rotations"]
            if len(rotations) == 2:
                break
        assert [one["RotationType"] for one in rotations] == ["AUTOMATIC", "ON_DEMAND"]
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"before"
        assert code(kms.describe_key, KeyId=doomed) == "NotFoundException"
        assert kms.get_key_rotation_status(KeyId=kept)["KeyRotationEnabled"] is True


def test_aliases_name_keys(kms: Any, account: str) -> None:
    """By name and ARN; moved, listed, deleted; AWS's own come into being when they are used."""
    one, two = make(kms), make(kms)
    kms.create_alias(AliasName="alias/mine", TargetKeyId=one)
    assert code(kms.create_alias, AliasName="alias/mine", TargetKeyId=two) == "AlreadyExistsException"
    sealed = kms.encrypt(KeyId=f"arn:aws:kms:us-east-1:{account}:alias/mine", Plaintext=b"x")
    assert sealed["KeyId"].endswith(one)
    kms.update_alias(AliasName="alias/mine", TargetKeyId=two)
    assert kms.describe_key(KeyId="alias/mine")["KeyMetadata"]["KeyId"] == two
    assert [alias["AliasName"] for alias in kms.list_aliases(KeyId=two)["Aliases"]] == ["alias/mine"]
    managed = kms.describe_key(KeyId="alias/aws/ssm")["KeyMetadata"]
    assert managed["KeyManager"] == "AWS"
    assert kms.describe_key(KeyId="alias/aws/ssm")["KeyMetadata"]["KeyId"] == managed["KeyId"]
    assert code(kms.schedule_key_deletion, KeyId="alias/aws/ssm") == "AccessDeniedException"
    kms.delete_alias(AliasName="alias/mine")
    assert code(kms.describe_key, KeyId="alias/mine") == "NotFoundException"
    assert len(kms.list_keys(Limit=2)["Keys"]) == 2
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
    assert {entry["KeyId"] for page in pages for entry in page["Keys"]} == {one, two, managed["KeyId"]}


def user(platform: RunningPlatform, account: str, name: str, *actions: str) -> tuple[Any, str]:
    """A KMS client of a user with these permissions on everything, and the user's ARN."""
    iam = platform.client("iam", account=account)
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if actions:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return platform.client("kms", account=key["AccessKeyId"], secret=key["SecretAccessKey"]), arn


def test_the_keys_policy_decides(platform: RunningPlatform, account: str, kms: Any) -> None:
    """IAM alone is enough only where the policy hands over to the account; a grant lets in without either."""
    key_id = make(kms)
    insider, arn = user(platform, account, "insider", "kms:*")
    insider.encrypt(KeyId=key_id, Plaintext=b"x")
    closed = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": ["kms:PutKeyPolicy", "kms:CreateGrant", "kms:RevokeGrant", "kms:Encrypt"],
                "Resource": "*",
                "Condition": {"StringNotEquals": {"aws:PrincipalArn": arn}},
            }
        ],
    }
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(closed))
    assert code(insider.encrypt, KeyId=key_id, Plaintext=b"x") == "AccessDeniedException"
    stranger, arn = user(platform, account, "stranger")
    assert code(stranger.encrypt, KeyId=key_id, Plaintext=b"x") == "AccessDeniedException"
    grant = kms.create_grant(
        KeyId=key_id,
        GranteePrincipal=arn,
        Operations=["Encrypt"],
        Constraints={"EncryptionContextSubset": {"team": "a"}},
    )
    stranger.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"team": "a", "more": "b"})
    stranger.encrypt(
        KeyId=key_id, Plaintext=b"x", EncryptionContext={"TEAM": "a"}
    )  # GrantConstraints: keys in any case
    assert code(stranger.encrypt, KeyId=key_id, Plaintext=b"x", EncryptionContext={"team": "A"}) == (
        "AccessDeniedException"
    )
    assert code(stranger.encrypt, KeyId=key_id, Plaintext=b"x") == "AccessDeniedException"
    kms.revoke_grant(KeyId=key_id, GrantId=grant["GrantId"])
    given = {"KeyId": key_id, "Plaintext": b"x", "EncryptionContext": {"team": "a"}}
    assert code(stranger.encrypt, **given) == "AccessDeniedException"


def test_a_grant_for_one_resource_alone_is_refused(platform: RunningPlatform, account: str, kms: Any) -> None:
    """AWS allows it only on behalf of that resource, which is told nowhere here; a wider permission is none at all."""
    key_id = make(kms)
    bob, arn = user(platform, account, "bob")
    constraints = {"SourceArn": f"arn:aws:lambda:us-east-1:{account}:function:f"}
    given = {"KeyId": key_id, "GranteePrincipal": arn, "Operations": ["Encrypt"], "Constraints": constraints}
    with pytest.raises(ClientError, match="SourceArn of CreateGrant") as caught:
        kms.create_grant(**given)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert kms.list_grants(KeyId=key_id)["Grants"] == []
    assert code(bob.encrypt, KeyId=key_id, Plaintext=b"x") == "AccessDeniedException"


def test_the_encryption_context_of_a_grant_does_not_bind_describe_key(
    platform: RunningPlatform, account: str, kms: Any
) -> None:
    """API Reference, CreateGrant: the constraint does not apply to DescribeKey and RetireGrant."""
    key_id = make(kms)
    bob, arn = user(platform, account, "bob")
    constraints = {"EncryptionContextEquals": {"team": "a"}}
    operations = ["Encrypt", "DescribeKey"]
    kms.create_grant(KeyId=key_id, GranteePrincipal=arn, Operations=operations, Constraints=constraints)
    assert bob.describe_key(KeyId=key_id)["KeyMetadata"]["KeyId"] == key_id
    assert code(bob.encrypt, KeyId=key_id, Plaintext=b"x") == "AccessDeniedException"


def test_grants_are_listed_and_retired(platform: RunningPlatform, account: str, kms: Any) -> None:
    """The retiring principal gives a grant back."""
    key_id = make(kms)
    grantee, arn = user(platform, account, "grantee")
    given = {"KeyId": key_id, "GranteePrincipal": arn, "Operations": ["Decrypt"], "Name": "n"}
    grant = kms.create_grant(**given, RetiringPrincipal=arn)
    assert kms.create_grant(**given, RetiringPrincipal=arn)["GrantId"] == grant["GrantId"]
    (listed,) = kms.list_grants(KeyId=key_id)["Grants"]
    assert (listed["GranteePrincipal"], listed["Operations"], listed["Name"]) == (arn, ["Decrypt"], "n")
    assert len(kms.list_retirable_grants(RetiringPrincipal=arn)["Grants"]) == 1
    grantee.retire_grant(GrantToken=grant["GrantToken"])
    assert kms.list_grants(KeyId=key_id)["Grants"] == []


def test_another_account_needs_both_sides(platform: RunningPlatform, account: str, kms: Any) -> None:
    """The key's policy names it; by ARN only."""
    metadata = kms.create_key()["KeyMetadata"]
    other = platform.client("kms", account="444253827891")
    assert code(other.encrypt, KeyId=metadata["Arn"], Plaintext=b"x") == "AccessDeniedException"
    policy = json.loads(kms.get_key_policy(KeyId=metadata["KeyId"])["Policy"])
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::444253827891:root"},
            "Action": ["kms:Encrypt", "kms:Decrypt"],
            "Resource": "*",
        }
    )
    kms.put_key_policy(KeyId=metadata["KeyId"], Policy=json.dumps(policy))
    sealed = other.encrypt(KeyId=metadata["Arn"], Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    assert code(other.describe_key, KeyId=metadata["KeyId"]) == "NotFoundException"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"KeySpec": "RSA_2048"}, "ValidationException"),
        ({"KeySpec": "ECC_NIST_P256", "KeyUsage": "ENCRYPT_DECRYPT"}, "ValidationException"),
        ({"Policy": "{"}, "MalformedPolicyDocumentException"),
        ({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
        ({"Origin": "EXTERNAL"}, "NotImplemented"),
        ({"CustomKeyStoreId": "cks-1"}, "NotImplemented"),
    ],
)
def test_keys_that_cannot_be_are_refused(kms: Any, params: dict[str, Any], expected: str) -> None:
    """By AWS's codes, or by name where it is we who lack it."""
    assert code(kms.create_key, **params) == expected


def test_a_dry_run_may_do_without_a_ciphertext(kms: Any) -> None:
    """DryRunModifiers IGNORE_CIPHERTEXT: only whether the caller may, and the key can, is asked."""
    key_id, signs = make(kms), make(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    dry: dict[str, Any] = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    between = {"SourceKeyId": key_id, "DestinationKeyId": key_id}
    assert code(kms.decrypt, KeyId=key_id, **dry) == "DryRunOperationException"
    assert code(kms.re_encrypt, **between, **dry) == "DryRunOperationException"
    assert code(kms.decrypt, **dry) == "ValidationException"
    assert code(kms.decrypt, KeyId=key_id, DryRunModifiers=["IGNORE_CIPHERTEXT"]) == "ValidationException"
    assert code(kms.decrypt, KeyId=signs, **dry) == "InvalidKeyUsageException"
    kms.disable_key(KeyId=key_id)
    assert code(kms.decrypt, KeyId=key_id, **dry) == "DisabledException"
    assert code(kms.re_encrypt, **between, **dry) == "DisabledException"


def test_a_dry_run_changes_nothing(kms: Any) -> None:
    """It only tells whether the request would have succeeded."""
    key_id = make(kms)
    assert code(kms.encrypt, KeyId=key_id, Plaintext=b"x", DryRun=True) == "DryRunOperationException"


def test_tags_and_description_change(kms: Any) -> None:
    """Listed by name."""
    key_id = make(kms, Tags=[{"TagKey": "b", "TagValue": "1"}])
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "a", "TagValue": "2"}])
    assert [tag["TagKey"] for tag in kms.list_resource_tags(KeyId=key_id)["Tags"]] == ["a", "b"]
    kms.untag_resource(KeyId=key_id, TagKeys=["b"])
    assert kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "a", "TagValue": "2"}]
    kms.update_key_description(KeyId=key_id, Description="new")
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["Description"] == "new"
    assert kms.list_key_policies(KeyId=key_id)["PolicyNames"] == ["default"]


def test_a_marker_of_ones_own_making_is_refused(kms: Any) -> None:
    """ListKeyRotations gives numbers."""
    marker = base64.urlsafe_b64encode(b"word").decode()
    assert code(kms.list_key_rotations, KeyId=make(kms), Marker=marker) == "InvalidMarkerException"


def test_an_alias_is_for_a_key_of_its_own_account_and_region(platform: RunningPlatform, account: str, kms: Any) -> None:
    """A key of another region is not found, also not by its ARN."""
    elsewhere = platform.client("kms", account=account, region="eu-west-1").create_key()["KeyMetadata"]["Arn"]
    assert code(kms.create_alias, AliasName="alias/far", TargetKeyId=elsewhere) == "NotFoundException"
    kms.create_alias(AliasName="alias/near", TargetKeyId=make(kms))
    assert code(kms.update_alias, AliasName="alias/near", TargetKeyId=elsewhere) == "NotFoundException"


@pytest.mark.parametrize("form", ["alias/near", "arn:aws:kms:us-east-1:{account}:alias/near"])
def test_an_alias_is_for_no_other_alias(account: str, kms: Any, form: str) -> None:
    """KMS API Reference, CreateAlias, TargetKeyId: "the key ID or key ARN"; nor does UpdateAlias take one."""
    kms.create_alias(AliasName="alias/near", TargetKeyId=make(kms))
    kms.create_alias(AliasName="alias/moved", TargetKeyId=make(kms))
    for ask, name in ((kms.create_alias, "alias/second"), (kms.update_alias, "alias/moved")):
        with pytest.raises(ClientError, match=r"Aliases must refer to keys\. Not aliases") as raised:
            ask(AliasName=name, TargetKeyId=form.format(account=account))
        assert raised.value.response["Error"]["Code"] == "ValidationException"


def test_who_may_make_grants_by_a_grant_gives_no_more_than_it_has(
    platform: RunningPlatform, account: str, kms: Any
) -> None:
    """Some or all of the parent's operations, constraints at least as strict.

    AWS: KMS Developer Guide, "Granting CreateGrant permission".
    """
    key_id = make(kms)
    bob, arn = user(platform, account, "bob")
    operations = ["Encrypt", "Decrypt", "CreateGrant"]
    constraints = {"EncryptionContextSubset": {"team": "a"}}
    kms.create_grant(KeyId=key_id, GranteePrincipal=arn, Operations=operations, Constraints=constraints)
    other, other_arn = user(platform, account, "other")
    given = {"KeyId": key_id, "GranteePrincipal": other_arn}
    same: dict[str, Any] = {"Constraints": constraints}
    refused: list[dict[str, Any]] = [
        {"Operations": ["Encrypt", "GenerateDataKey"], **same},
        {"Operations": ["Encrypt"]},
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": {"team": "b"}}},
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextEquals": {"more": "b"}}},
    ]
    assert [code(bob.create_grant, **given, **each) for each in refused] == ["AccessDeniedException"] * 4
    stricter = {"EncryptionContextEquals": {"team": "a", "more": "b"}}
    bob.create_grant(**given, Operations=["Encrypt"], Constraints={"EncryptionContextSubset": {"Team": "a"}})
    bob.create_grant(**given, Operations=["Encrypt", "CreateGrant"], Constraints=stricter)
    context = {"team": "a", "more": "b"}
    other.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=context)
    wider = {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": context}}
    assert code(other.create_grant, **given, **wider) == "AccessDeniedException"
    other.create_grant(**given, Operations=["Encrypt"], Constraints=stricter)


def test_a_grant_names_a_principal_and_what_its_key_can_do(account: str, kms: Any) -> None:
    """API Reference, CreateGrant: operations and constraints that the key does not support are refused."""
    signing = make(kms, KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
    secret = make(kms)
    grantee = f"arn:aws:iam::{account}:root"
    context: dict[str, Any] = {"Constraints": {"EncryptionContextEquals": {"a": "b"}}}

    def refused(key_id: str, *operations: str, to: str = grantee, **more: Any) -> str:
        given = {"KeyId": key_id, "GranteePrincipal": to, "Operations": list(operations)}
        return code(kms.create_grant, **given, **more)

    assert refused(secret, "Encrypt", "Sign") == "ValidationException"
    assert refused(secret, "GetPublicKey") == "ValidationException"
    assert refused(signing, "Encrypt") == "ValidationException"
    assert refused(signing, "Sign", **context) == "ValidationException"
    for name in ("EncryptionContextEquals", "EncryptionContextSubset"):
        most = {str(number): "x" * 384 for number in range(8)}
        for pairs in ({**most, "9": ""}, {**most, "0": "x" * 385}):
            assert refused(secret, "Encrypt", Constraints={name: pairs}) == "ValidationException"
        kms.create_grant(KeyId=secret, GranteePrincipal=grantee, Operations=["Encrypt"], Constraints={name: most})
    for grant in kms.list_grants(KeyId=secret)["Grants"]:
        kms.revoke_grant(KeyId=secret, GrantId=grant["GrantId"])
    assert refused(secret, "Encrypt", to="foo") == "InvalidArnException"
    assert refused(secret, "Encrypt", RetiringPrincipal="foo") == "InvalidArnException"
    assert kms.list_grants(KeyId=secret)["Grants"] == kms.list_grants(KeyId=signing)["Grants"] == []
    kms.create_grant(KeyId=signing, GranteePrincipal=grantee, Operations=["Sign", "GetPublicKey", "DescribeKey"])


def test_a_ciphertext_whose_key_is_not_here_is_not_called_damaged(platform: RunningPlatform, kms: Any) -> None:
    """AWS tells the caller that the ciphertext's key is not there, or not the caller's to use."""
    key_id = make(kms)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    elsewhere = platform.client("kms", account="210987654321", region="eu-west-1")
    with pytest.raises(ClientError, match="is not authorized to perform: kms:Decrypt on the resource associated"):
        elsewhere.decrypt(CiphertextBlob=blob)


def test_a_key_id_that_cannot_be_one(kms: Any) -> None:
    """AWS's text for what is no key id, ARN or alias name."""
    with pytest.raises(ClientError, match=r"Invalid keyId foo$") as caught:
        kms.describe_key(KeyId="foo")
    assert caught.value.response["Error"]["Code"] == "NotFoundException"


def test_rotations_follow_their_schedule_however_far_time_moves() -> None:
    """Every period since it was enabled; what fell into a disabled time is made once, when it is enabled again."""
    with platforms.running() as running:
        kms = running.client("kms")
        key_id = make(kms)

        def made(count: int) -> list[float]:
            """The dates, oldest first, once there are so many."""
            for _ in range(200):
                found = kms.list_key_rotations(KeyId=key_id)["Rotations"]
                if len(found) == count:
                    break
            return [one["RotationDate"].timestamp() for one in reversed(found)]

        kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
        first = kms.get_key_rotation_status(KeyId=key_id)["NextRotationDate"].timestamp()
        running.advance(280 * DAY_S)
        assert made(3) == pytest.approx([first, first + 90 * DAY_S, first + 180 * DAY_S], abs=0.01)
        status = kms.get_key_rotation_status(KeyId=key_id)
        assert status["NextRotationDate"].timestamp() == pytest.approx(first + 270 * DAY_S, abs=0.01)
        kms.disable_key(KeyId=key_id)
        running.advance(400 * DAY_S)
        kms.enable_key(KeyId=key_id)
        (late,) = made(4)[3:]
        assert late > first + 580 * DAY_S
        status = kms.get_key_rotation_status(KeyId=key_id)
        assert status["NextRotationDate"].timestamp() == pytest.approx(late + 90 * DAY_S, abs=0.01)
        kms.schedule_key_deletion(KeyId=key_id)
        assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
        kms.cancel_key_deletion(KeyId=key_id)
        assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is True


def test_a_key_is_rotated_on_demand_25_times(kms: Any) -> None:
    """API Reference, RotateKeyOnDemand."""
    key_id = make(kms)
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=key_id)
    assert code(kms.rotate_key_on_demand, KeyId=key_id) == "LimitExceededException"


def test_a_disabled_key_gets_no_grant(account: str, kms: Any) -> None:
    """Developer Guide, "Key states of AWS KMS keys"."""
    key_id = make(kms)
    kms.disable_key(KeyId=key_id)
    given = {"KeyId": key_id, "GranteePrincipal": f"arn:aws:iam::{account}:root", "Operations": ["Encrypt"]}
    assert code(kms.create_grant, **given) == "DisabledException"
