"""Writes the data of AWS's public parameters that Parameter Store answers: src/undercast/services/ssm/public.json.

Regions, services and endpoints are botocore's endpoint data; image ids are those that AWS's documentation prints, each
with the version and time printed beside it. Nothing else is known here, and nothing is made up.
AWS: Systems Manager User Guide, "Calling public parameters for AWS services, Regions, endpoints, ...", "Calling AMI
public parameters".
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import botocore
import botocore.session

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
"""Those whose regions AWS's public parameters name."""
OUTPUT = Path(__file__).parent.parent / "src/undercast/services/ssm/public.json"
LINUX = "/aws/service/ami-amazon-linux-latest"
IMAGES = (
    ("us-east-2", f"{LINUX}/amzn-ami-hvm-x86_64-ebs", "ami-02f31e7644d23a001", 32, "2021-10-04T14:51:40.313000-07:00"),
    ("us-east-2", f"{LINUX}/amzn-ami-hvm-x86_64-gp2", "ami-0a787ac2e0c399e8b", 32, "2021-10-04T14:51:40.424000-07:00"),
    ("us-east-2", f"{LINUX}/amzn-ami-hvm-x86_64-s3", "ami-0437136c909273ff3", 32, "2021-10-04T14:51:40.533000-07:00"),
    ("us-east-2", f"{LINUX}/amzn2-ami-hvm-x86_64-gp2", "ami-074cce78125f09d61", 51, "2021-10-06T16:50:43.294000-07:00"),
)
"""Region, name, value, version, time: the example output of "Calling AMI public parameters"."""


def regions(endpoints: Any) -> dict[str, list[str]]:
    """Region -> its long name, partition and domain."""
    return {
        region: [described["description"], partition["partition"], partition["dnsSuffix"]]
        for partition in endpoints["partitions"]
        if partition["partition"] in PARTITIONS
        for region, described in partition["regions"].items()
    }


def services(session: Any, known: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Service -> its regions, and the host of its endpoint in most of them and in the others."""
    resolver = session.get_component("endpoint_resolver")
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(session.get_available_services()):
        prefix = session.get_service_model(name).endpoint_prefix
        hosts: dict[str, str] = {}
        for partition in PARTITIONS:
            for region in resolver.get_available_endpoints(prefix, partition):
                if region in known:
                    hostname = resolver.construct_endpoint(prefix, region, partition)["hostname"]
                    hosts[region] = hostname.replace(region, "{region}").replace(known[region][2], "{domain}")
        if not hosts:
            continue
        most = Counter(hosts.values()).most_common(1)[0][0]
        others = {region: host for region, host in sorted(hosts.items()) if host != most}
        found[name] = {"regions": " ".join(sorted(hosts)), "host": most, **({"hosts": others} if others else {})}
    return found


def main(date: str) -> None:
    """Write the file, one service a line."""
    session = botocore.session.get_session()
    known = regions(session.get_component("data_loader").load_data("endpoints"))
    head = {"dated": date, "botocore": botocore.__version__, "regions": known, "images": IMAGES}
    lines = [f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in services(session, known).items()]
    text = json.dumps(head, indent=1, ensure_ascii=False)[:-2] + ',\n "services": {\n' + ",\n".join(lines) + "\n }\n}\n"
    OUTPUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
