"""`sandbox.model.TraceSink` as a whole: X-Ray's part of it, spoken to over HTTP where the daemon speaks HTTP."""

import asyncio
from functools import partial

from undercast.http.options import ServeOptions
from undercast.http.server import HttpProtocol
from undercast.sandbox.model import FunctionVersion
from undercast.services.xray.sink import FunctionTraces


class Traces(FunctionTraces):
    """See TraceSink."""

    def connection(self, function: FunctionVersion) -> asyncio.Protocol:
        """See TraceSink."""
        return HttpProtocol(partial(self.proxied, function), ServeOptions())
