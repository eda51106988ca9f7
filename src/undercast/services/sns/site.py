"""The certificate of SNS's signatures, at the path that SigningCertURL names.

AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

from undercast.core.http import HttpResponse
from undercast.core.service import Visit
from undercast.services.sns.instance import Sns

_TYPE = (("content-type", "application/x-pem-file"),)


async def serve(sns: Sns, visit: Visit) -> HttpResponse:
    """See `core.service.Manifest.site`."""
    material = await sns.signer.ready()
    if visit.request.path != material.path or visit.request.method not in ("GET", "HEAD"):
        return HttpResponse(
            status=404, headers=(("content-type", "text/plain"),), body=b"There is no such certificate.\n"
        )
    return HttpResponse(status=200, headers=_TYPE, body=material.certificate)
