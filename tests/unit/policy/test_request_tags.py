"""The tags of requests, over every operation of every service here that carries some."""

from typing import Any

import botocore.session
import pytest

from undercast.policy.request_tags import request_tags
from undercast.services import catalogue

SERVICES = sorted(catalogue.modules())


@pytest.mark.parametrize("service", SERVICES)
def test_every_tag_member_of_the_models_is_read(service: str) -> None:
    """A map, a list of pairs or a list of keys: each gives aws:TagKeys, and with values aws:RequestTag."""
    model = botocore.session.get_session().get_service_model(service)
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        for member, of in (shape.members if shape is not None else {}).items():
            if member.lower() not in ("tags", "tagkeys"):
                continue
            item: Any = getattr(of, "member", None)
            if of.type_name == "map":
                found = request_tags({member: {"team": "a"}})
            elif item.type_name == "structure":
                key, value = item.members
                found = request_tags({member: [{key: "team", value: "a"}]})
            else:
                assert request_tags({member: ["team"]}) == {"aws:TagKeys": ("team",)}, name
                continue
            assert found == {"aws:RequestTag/team": "a", "aws:TagKeys": ("team",)}, name
