"""A bucket as a website: configured by boto3, read by a browser at the bucket's website endpoint.

AWS: S3 User Guide, "Hosting a static website using Amazon S3" and the pages below it.
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform
from tests.services.s3.browser import Answer, send
from undercast.services.s3.website import error_document

SITE = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}


@pytest.fixture
def public(s3: Any, bucket: str) -> str:
    """A bucket whose objects everybody may read, with an index document and a folder; not a website yet."""
    s3.delete_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    for key, text in (("index.html", "the root"), ("photos/index.html", "a folder"), ("a b.txt", "an object")):
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="text/plain", Metadata={"of": "us"})
    return bucket


class Site:
    """The website endpoint of a bucket."""

    def __init__(self, platform: RunningPlatform, bucket: str) -> None:
        self._url = platform.url.replace("https://", "http://")
        self.host = f"{bucket}.s3-website-us-east-1.amazonaws.com"

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """One request of a browser."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return send(self._url, method, path, {"Host": self.host, **named})


@pytest.fixture
def site(platform: RunningPlatform, public: str) -> Site:
    """Its endpoint."""
    return Site(platform, public)


def configure(s3: Any, bucket: str, **configuration: Any) -> None:
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)


def led(answer: Answer) -> tuple[int, str]:
    """Where a redirect leads."""
    return answer.status, answer.headers["location"]


def test_objects_and_index_documents_are_shown(s3: Any, public: str, site: Site) -> None:
    """The root, a folder with its slash, an object with its headers; a folder without its slash is led to it (302)."""
    configure(s3, public, **SITE)
    assert s3.get_bucket_website(Bucket=public)["IndexDocument"] == {"Suffix": "index.html"}
    assert (site.get("/").status, site.get("/").body) == (200, "the root")
    assert site.get("/photos/").body == "a folder"
    assert led(site.get("/photos")) == (302, "/photos/")
    answer = site.get("/a%20b.txt")
    assert (answer.status, answer.body) == (200, "an object")
    headers = s3.head_object(Bucket=public, Key="a b.txt")
    assert (answer.headers["etag"], answer.headers["content-type"]) == (headers["ETag"], "text/plain")
    assert answer.headers["x-amz-meta-of"] == "us"
    assert site.get("/a%20b.txt", Range="bytes=3-").body == "object"
    assert site.get("/a%20b.txt", Range="bytes=3-").status == 206
    assert site.get("/a%20b.txt", If_None_Match=headers["ETag"]).status == 304
    assert site.get("/a%20b.txt", If_Modified_Since=answer.headers["last-modified"]).status == 304
    head = site.get("/a%20b.txt", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, "", "9")


def test_every_form_of_the_endpoint_is_the_same_site(platform: RunningPlatform, s3: Any, public: str) -> None:
    """With a dash, with a dot, the local names; another region's is an error, one without a bucket the product page."""
    configure(s3, public, **SITE)
    site = Site(platform, public)
    for host in ("s3-website.us-east-1.amazonaws.com", "s3-website.localhost", "s3-website.localhost.localstack.cloud"):
        site.host = f"{public}.{host}:4566"
        assert site.get("/").body == "the root"
    site.host = f"{public}.s3-website-eu-west-1.amazonaws.com"
    elsewhere = site.get("/")
    assert (elsewhere.status, elsewhere.headers["x-amz-error-code"]) == (400, "IncorrectEndpoint")
    assert f"<li>Endpoint: {public}.s3-website-us-east-1.amazonaws.com</li>" in elsewhere.body
    site.host = "s3-website-us-east-1.amazonaws.com"
    assert led(site.get("/")) == (301, "https://aws.amazon.com/s3/")


@pytest.mark.parametrize("ending", ["GMT", "-0000", ""])
def test_a_date_counts_in_utc(s3: Any, public: str, site: Site, ending: str) -> None:
    """Also where it names no zone; RFC 9110, section 5.6.7."""
    configure(s3, public, **SITE)
    date = site.get("/a%20b.txt").headers["last-modified"].removesuffix("GMT") + ending
    assert site.get("/a%20b.txt", If_Modified_Since=date.strip()).status == 304


@pytest.mark.parametrize("date", ["Mon, 30 Nov 99999999999 10:00:00 GMT", "soon"])
def test_a_date_that_is_none_is_no_condition(s3: Any, public: str, site: Site, date: str) -> None:
    """RFC 9110, section 13.1.3: "A recipient MUST ignore the If-Modified-Since header field if ... invalid"."""
    configure(s3, public, **SITE)
    assert site.get("/a%20b.txt", If_Modified_Since=date).body == "an object"


def test_errors_are_pages(s3: Any, public: str, site: Site) -> None:
    """No bucket, no website, no object, no right, no method: HTML with code and message."""
    told = site.get("/")
    assert (told.status, told.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<li>Code: NoSuchWebsiteConfiguration</li>" in told.body
    configure(s3, public, IndexDocument={"Suffix": "index.html"})
    refused = site.get("/gone")
    assert (refused.status, refused.headers["x-amz-error-code"]) == (403, "AccessDenied")  # who may not list
    assert "<h1>403 Forbidden</h1>" in refused.body
    assert "<script>" not in site.get("/%3Cscript%3E").body
    posted = site.get("/", "POST")
    assert (posted.status, posted.headers["x-amz-error-code"]) == (405, "MethodNotAllowed")
    head = site.get("/gone", "HEAD")
    assert (head.status, head.body, int(head.headers["content-length"]) > 100) == (403, "", True)
    s3.delete_bucket_website(Bucket=public)
    assert "NoSuchWebsiteConfiguration" in site.get("/").body
    site.host = f"no-{site.host}"
    assert "<li>Code: NoSuchBucket</li>" in site.get("/").body


def test_what_not_everybody_may_read_is_not_shown(s3: Any, bucket: str, platform: RunningPlatform) -> None:
    """A private bucket with a website answers 403, and its error document is as private."""
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"secret")
    s3.put_object(Bucket=bucket, Key="error.html", Body=b"secret, too")
    s3.put_object(Bucket=bucket, Key="away", WebsiteRedirectLocation="/secret")
    configure(s3, bucket, **SITE)
    for path in ("/", "/index.html", "/error.html", "/away"):
        answer = Site(platform, bucket).get(path)
        assert (answer.status, "secret" in answer.body, "location" in answer.headers) == (403, False, False)
        assert "An Error Occurred While Attempting to Retrieve a Custom Error Document" in answer.body


def test_the_error_document_has_the_errors_status(s3: Any, public: str, site: Site) -> None:
    """Configuring a custom error document: 4XX errors."""
    configure(s3, public, **SITE)
    s3.put_object(Bucket=public, Key="error.html", Body=b"sorry", ContentType="text/html")
    answer = site.get("/gone")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (403, "sorry", "text/html")
    grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{public}"}
    policy = json.loads(s3.get_bucket_policy(Bucket=public)["Policy"])
    s3.put_bucket_policy(Bucket=public, Policy=json.dumps({**policy, "Statement": [*policy["Statement"], grant]}))
    assert (site.get("/gone").status, site.get("/gone").body) == (404, "sorry")


def test_redirects_of_rules_objects_and_whole_sites(s3: Any, public: str, site: Site) -> None:
    """The first rule that fits, before the object or behind its error; then the object's own; RedirectAllRequestsTo."""
    rules = [
        {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "documents/"}},
        {
            "Condition": {"KeyPrefixEquals": "api/", "HttpErrorCodeReturnedEquals": "403"},
            "Redirect": {
                "HostName": "h.example",
                "Protocol": "https",
                "ReplaceKeyWith": "no",
                "HttpRedirectCode": "307",
            },
        },
        {"Condition": {"HttpErrorCodeReturnedEquals": "403"}, "Redirect": {"ReplaceKeyPrefixWith": "report/"}},
    ]
    configure(s3, public, **SITE, RoutingRules=rules)
    assert s3.get_bucket_website(Bucket=public)["RoutingRules"] == rules
    s3.put_object(Bucket=public, Key="docs/a", Body=b"never shown")
    s3.put_object(Bucket=public, Key="old", WebsiteRedirectLocation="/index.html")
    assert led(site.get("/docs/a%20b")) == (301, f"http://{site.host}/documents/a%20b")
    assert led(site.get("/api/x")) == (307, "https://h.example/no")
    assert led(site.get("/gone")) == (301, f"http://{site.host}/report/gone")
    assert led(site.get("/old")) == (301, "/index.html")
    assert site.get("/").body == "the root"
    configure(s3, public, RedirectAllRequestsTo={"HostName": "www.example.com"})
    assert led(site.get("/a/b")) == (301, "http://www.example.com/a/b")


def test_a_redirect_keeps_the_key(s3: Any, public: str, site: Site) -> None:
    """What of it is kept is encoded, so that it names the same key; a rule may write a query and a fragment."""
    rules = [
        {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "show?of="}},
        {"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyWith": "new?from=old#top"}},
        {"Condition": {"KeyPrefixEquals": "there/"}, "Redirect": {"HostName": "h.example"}},
    ]
    configure(s3, public, **SITE, RoutingRules=rules)
    key = "a%3Fb%23c%2Bd%26e%25f/%C3%BC"
    assert led(site.get(f"/docs/{key}")) == (301, f"http://{site.host}/show?of={key}")
    assert led(site.get(f"/old/{key}")) == (301, f"http://{site.host}/new?from=old#top")
    assert led(site.get(f"/there/{key}")) == (301, f"http://h.example/there/{key}")
    configure(s3, public, RedirectAllRequestsTo={"HostName": "h.example"})
    assert led(site.get(f"/{key}")) == (301, f"http://h.example/{key}")


def test_pages_of_other_origins_read_by_the_buckets_rules(s3: Any, public: str, site: Site) -> None:
    """CORS at the website endpoint."""
    configure(s3, public, **SITE)
    assert "access-control-allow-origin" not in site.get("/", Origin="http://a.example").headers
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["http://a.example"]}
    s3.put_bucket_cors(Bucket=public, CORSConfiguration={"CORSRules": [rule]})
    assert site.get("/", Origin="http://a.example").headers["access-control-allow-origin"] == "http://a.example"
    asked = {"Origin": "http://a.example", "Access_Control_Request_Method": "GET"}
    assert site.get("/", "OPTIONS", **asked).status == 200
    assert site.get("/", "OPTIONS", **{**asked, "Origin": "http://b.example"}).status == 403


def test_the_error_document_is_for_errors_of_the_class_4xx() -> None:
    """Configuring a custom error document."""
    assert {status: error_document(SITE, status) for status in (304, 400, 403, 499, 500, 503)} == {
        304: None, 400: "error.html", 403: "error.html", 499: "error.html", 500: None, 503: None
    }  # fmt: skip
    assert error_document({"IndexDocument": {"Suffix": "index.html"}}, 404) is None


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "InvalidArgument"),
    ({"ErrorDocument": {"Key": "e"}}, "InvalidArgument"),
    ({"IndexDocument": {"Suffix": "a/b"}}, "InvalidArgument"),
    ({"IndexDocument": {"Suffix": ""}}, "InvalidArgument"),
    ({**SITE, "RedirectAllRequestsTo": {"HostName": "h"}}, "InvalidRequest"),
    ({"RedirectAllRequestsTo": {"HostName": "h", "Protocol": "ftp"}}, "InvalidRequest"),
    ({**SITE, "RoutingRules": [{"Redirect": {"HttpRedirectCode": "300"}}]}, "InvalidRequest"),
    ({**SITE, "RoutingRules": [{"Redirect": {"HttpRedirectCode": "309"}}]}, "InvalidRequest"),
    ({**SITE, "RoutingRules": [{"Condition": {}, "Redirect": {"HostName": "h"}}]}, "InvalidRequest"),
    ({**SITE, "RoutingRules": [{"Redirect": {}}]}, "MalformedXML"),
    ({**SITE, "RoutingRules": [{"Redirect": {"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}}]}, "InvalidRequest"),
    (
        {
            **SITE,
            "RoutingRules": [{"Condition": {"HttpErrorCodeReturnedEquals": "200"}, "Redirect": {"HostName": "h"}}],
        },
        "InvalidRequest",
    ),
    ({**SITE, "RoutingRules": [{"Redirect": {"HostName": "h"}}] * 51}, "InvalidRequest"),
]


@pytest.mark.parametrize(("configuration", "code"), REFUSED)
def test_what_s3_does_not_take_is_refused(s3: Any, bucket: str, configuration: dict[str, Any], code: str) -> None:
    """Nothing of it is kept."""
    with pytest.raises(ClientError) as caught:
        configure(s3, bucket, **configuration)
    assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="NoSuchWebsiteConfiguration"):
        s3.get_bucket_website(Bucket=bucket)
