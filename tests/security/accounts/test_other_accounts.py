"""Nobody reads, tags, changes or deletes another account's resources by their names, whatever they may in their own.

Every operation is called by a user of another account who may do anything there, with the owner's names where it takes
one. AWS: IAM User Guide, "Cross-account policy evaluation logic": both accounts must allow.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.security.accounts.answers import ANSWERED, more
from tests.security.accounts.conftest import Accounts
from tests.security.accounts.estate import ESTATES, SECRET, Names
from tests.security.accounts.requests import Requests
from undercast.services.registry import discover

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    manifest.name: tuple(sorted(manifest.operations)) for manifest in discover()
}
DENIED = re.compile(r"Access.?Denied|Authorization|NotFound|NoSuch|NonExistent|DoesNotExist|InvalidResourceId|^40[34]$")
"""Codes of AWS's refusals, HEAD's among them."""
MISSING = re.compile(r"not found|does not exist", re.IGNORECASE)
"""X-Ray has one code for all that is wrong: this is in its text."""


@pytest.mark.parametrize("service", ESTATES)
def test_another_accounts_resources_are_out_of_reach(accounts: Accounts, service: str) -> None:
    """Denied, or not found. What AWS answers is in ANSWERED, or names nothing; it tells and changes nothing, either."""
    before = accounts.rows()
    client, names = accounts.client(service), accounts.names[service]
    model, further = botocore.session.get_session().get_service_model(service), more(service, names)
    wrong, undecided, used = [], [], set()
    for operation in OPERATIONS[service]:
        made = Requests(model.operation_model(operation), names, further.get(operation, {}))
        requests = list(made)
        outcomes = [outcome(client, operation, params) for params in requests]
        answered = {pattern for pattern in ANSWERED.get(service, ()) if re.fullmatch(pattern, operation)}
        wrong += [
            f"{operation} {params}: {text}"
            for params, (is_refused, text) in zip(requests, outcomes, strict=True)
            if SECRET in text or (made.names and not answered and not is_refused and text.startswith("{"))
        ]
        if answered and not all(is_refused for is_refused, _ in outcomes):
            used |= answered
        if made.names and not answered and not outcomes[0][0]:
            undecided.append(f"{operation} {requests[0]}: {outcomes[0][1]}")
    assert wrong == [], "answered, or told"
    assert undecided == [], "refused for their form alone: what they need beside is to be said in answers.more"
    assert set(ANSWERED.get(service, ())) - used == set(), "AWS refuses these, too, and so do we"
    after = accounts.rows()
    assert (before - after, after - before) == (Counter(), Counter()), "changed"


@pytest.mark.parametrize("service", ESTATES)
def test_an_arn_that_says_the_callers_account_leads_to_nothing_of_the_owners(accounts: Accounts, service: str) -> None:
    """Whose a resource is says its row: ids of the owner's in an ARN, URL or name of the caller's own name nothing."""
    before = accounts.rows()
    client, names = accounts.client(service), own_names(accounts, service)
    model, further = botocore.session.get_session().get_service_model(service), more(service, names)
    told = [
        f"{operation} {params}: {text}"
        for operation in OPERATIONS[service]
        for params in Requests(model.operation_model(operation), names, further.get(operation, {}))
        if accounts.other in str(params) and SECRET in (text := outcome(client, operation, params)[1])
    ]
    assert told == []
    after = accounts.rows()
    assert (before - after, after - before) == (Counter(), Counter()), "changed"


def own_names(accounts: Accounts, service: str) -> Names:
    """The owner's names with the caller's account for the owner's."""
    return {
        member: tuple(
            value.replace(accounts.owner, accounts.other) if isinstance(value, str) else value for value in values
        )
        for member, values in accounts.names[service].items()
    }


def test_every_service_has_its_estate() -> None:
    """What another account may not reach is made of each."""
    assert set(ESTATES) == set(OPERATIONS)


def outcome(client: Any, operation: str, params: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether it was denied or not found, and what was told: an answer begins with "{"."""
    try:
        answer = client._make_api_call(operation, params)
    except ClientError as error:
        code, text = error.response["Error"]["Code"], str(error)
        return bool(DENIED.search(code) or MISSING.search(text)), text
    del answer["ResponseMetadata"]
    return False, str(answer)
