"""The APIs at 127.0.0.1:9001 of one execution environment, on one listener.

AWS: Lambda Developer Guide, "Using the Lambda runtime API", Extensions API, Telemetry API, Logs API.
"""

from collections.abc import Callable

from undercast.sandbox import extensions_api
from undercast.sandbox.extensions import Extensions
from undercast.sandbox.extensions_api import ExtensionsApi
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.platform_events import PlatformEvent
from undercast.sandbox.runtime_api import RuntimeApi, RuntimeEvents
from undercast.sandbox.telemetry import Telemetry
from undercast.sandbox.telemetry_api import LOGS_PATH, TELEMETRY_PATH, TelemetryApi


def runtime_api(
    events: RuntimeEvents,
    function: FunctionVersion,
    extensions: Extensions,
    telemetry: Telemetry,
    tell: Callable[[PlatformEvent], None],
) -> RuntimeApi:
    """The Runtime API with the others beside it; `tell` is given the events about subscriptions."""
    subscribe = TelemetryApi(extensions, telemetry, tell).serve
    return RuntimeApi(
        events,
        {
            extensions_api.PATH: ExtensionsApi(extensions, function).serve,
            TELEMETRY_PATH: subscribe,
            LOGS_PATH: subscribe,
        },
    )
