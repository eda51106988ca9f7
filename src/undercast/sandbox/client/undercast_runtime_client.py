# mypy: ignore-errors
"""A runtime client for interpreters that AWS's awslambdaric has no build for.

With `undercast_transport` beside it; standard library only, Python 2.7 and 3.6 upwards. Answers, errors, context and
log lines are those of awslambdaric; the tests compare both.
AWS: Lambda Developer Guide, "Using the Lambda runtime API", "AWS Lambda context object in Python".
"""

from __future__ import unicode_literals

import decimal
import importlib
import json
import logging
import os
import re
import sys
import time
import traceback

from undercast_transport import Connection

_PREFIX = "/2018-06-01/runtime/"
_INDENT = "\u00a0"
_MAX_XRAY_BYTES = 1024 * 1024
_TEXT_FRAMES = {0: 0x03, 10: 0x0B, 20: 0x0F, 30: 0x13, 40: 0x17, 50: 0x1B}
_JSON_FRAMES = {0: 0x02, 10: 0x0A, 20: 0x0E, 30: 0x12, 40: 0x16, 50: 0x1A}
_DECIMAL_MARK = "\u0001decimal\u0001"
_LATE_UNICODE = ("AWS_Lambda_python3.12", "AWS_Lambda_python3.13", "AWS_Lambda_python3.14", "AWS_Lambda_python3.15")
_UNHANDLED = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. "
    "However, in rare cases, a Lambda runtime update can cause unexpected function behavior. "
    "For functions using managed runtimes, runtime updates can be triggered by a function change, or can be applied "
    "automatically. To determine if the runtime has been updated, check the runtime version in the INIT_START log "
    "entry. If this error correlates with a change in the runtime version, you may be able to mitigate this error by "
    "temporarily rolling back to the previous runtime version. "
    "For more information, see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)
_STANDARD_FIELDS = frozenset(
    "name msg args levelname levelno pathname filename module exc_info exc_text stack_info funcName lineno created "
    "msecs relativeCreated thread threadName processName process aws_request_id tenant_id taskName _frame_type".split()
)


class Fault(Exception):
    """An error that the runtime itself reports, with AWS's type."""

    def __init__(self, error_type, message, trace=None):
        super(Fault, self).__init__(message)
        self.error_type = error_type
        self.message = message
        self.trace = trace


class LambdaRuntimeClient(object):
    """One kept connection to the Runtime API. Blocking, without timeouts: `wait_next_invocation` waits for hours.

    Agents put their own in place of `post_...` and of `handle_event_request`; these names are awslambdaric's.
    """

    def __init__(self, address):
        self._connection = Connection(address)

    def wait_next_invocation(self):
        """Wait for an event: its headers by lower-case name, and its payload."""
        _, headers, body = self._connection.ask_again(_PREFIX + "invocation/next")
        return headers, body

    def post(self, path, body, headers=()):
        """Post an answer; what the API says to it matters to nobody."""
        return self._connection.request("POST", _PREFIX + path, body, headers)[0]

    def post_init_error(self, error):
        """Tell that the function could not be loaded."""
        headers = (("Lambda-Runtime-Function-Error-Type", error["errorType"]),)
        self.post("init/error", Encoder().text(error).encode("utf-8"), headers)

    def post_invocation_result(self, request_id, body, content_type):
        """Answer an event."""
        self.post("invocation/%s/response" % request_id, body, (("Content-Type", content_type),))

    def post_invocation_error(self, request_id, error, cause):
        """Answer an event with the error and X-Ray's cause, both JSON texts."""
        headers = [("Content-Type", "application/json"), ("Lambda-Runtime-Function-Error-Type", "Unhandled")]
        if len(cause) < _MAX_XRAY_BYTES:
            headers.append(("Lambda-Runtime-Function-XRay-Error-Cause", cause.replace("\n", " ")))
        self.post("invocation/%s/error" % request_id, error.encode("utf-8"), headers)


class _Fields(object):
    """An object with the fields of a dictionary, as mobile SDKs send it."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name) if isinstance(values, dict) else None)

    def __repr__(self):
        fields = ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__)
        return "%s([%s])" % (self.__class__.__name__, fields)


class CognitoIdentity(_Fields):
    """`context.identity`."""

    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]


class Client(_Fields):
    """`context.client_context.client`."""

    __slots__ = ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"]


class ClientContext(_Fields):
    """`context.client_context`."""

    __slots__ = ["custom", "env", "client"]


class LambdaContext(object):
    """The second argument of a handler."""

    def __init__(self, headers, log_sink):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        client = _json_header(headers.get("lambda-runtime-client-context"), "Client Context")
        self.client_context = None
        if client is not None:
            self.client_context = ClientContext(client)
            if self.client_context.client is not None:
                self.client_context.client = Client(self.client_context.client)
        identity = _json_header(headers.get("lambda-runtime-cognito-identity"), "Cognito Identity") or {}
        self.identity = CognitoIdentity({})
        self.identity.cognito_identity_id = identity.get("cognitoIdentityId")
        self.identity.cognito_identity_pool_id = identity.get("cognitoIdentityPoolId")
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))
        self._log_sink = log_sink

    def get_remaining_time_in_millis(self):
        """Milliseconds until the deadline."""
        left = self._epoch_deadline_time_in_ms - int(time.time() * 1000)
        return left if left > 0 else 0

    def log(self, msg):
        """Write to the function's log."""
        self._log_sink.log(str(msg))

    def __repr__(self):
        names = (
            "aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb function_version "
            "invoked_function_arn client_context identity tenant_id"
        ).split()
        return "LambdaContext([%s])" % ",".join("%s=%s" % (name, getattr(self, name)) for name in names)


def _json_header(text, name):
    if not text:
        return None
    try:
        return json.loads(text)
    except Exception as error:
        raise Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error))


class StandardLogSink(object):
    """Log records on stdout; the lines of an error are joined by carriage returns into one event."""

    def log(self, text, frame=None):
        """One record."""
        _write(sys.stdout, text)

    def log_error(self, lines, frame):
        """One error."""
        _write(sys.stdout, "\r".join(lines) + "\n")


class FramedLogSink(object):
    """Log records as frames on the telemetry descriptor: type, length, time stamp in microseconds, message."""

    def __init__(self, descriptor):
        self._file = os.fdopen(descriptor, "wb", 0)

    def log(self, text, frame=None):
        """One record."""
        data = text.encode("utf-8")
        head = bytearray(b"\xa5\x5a\x00")
        head.append(frame or _TEXT_FRAMES[0])
        head += _big_endian(len(data), 4) + _big_endian(int(time.time() * 1000000), 8)
        self._file.write(bytes(head) + data)

    def log_error(self, lines, frame):
        """One error."""
        self.log("\n".join(lines), frame)


def _big_endian(number, size):
    return bytearray((number >> (8 * place)) & 0xFF for place in range(size - 1, -1, -1))


def _write(stream, text):
    if sys.version_info[0] == 2 and not isinstance(text, str):
        text = text.encode("utf-8")
    stream.write(text)
    stream.flush()


class Unbuffered(object):
    """A stream that is flushed at every write."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, text):
        """Write and flush."""
        self.stream.write(text)
        self.stream.flush()

    def writelines(self, lines):
        """Write and flush."""
        self.stream.writelines(lines)
        self.stream.flush()


class Current(object):
    """The invocation that runs, for the log."""

    request_id = None


class _Filter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = Current.request_id or ""
        record.tenant_id = None
        return True


class _Handler(logging.Handler):
    def __init__(self, log_sink, frames):
        logging.Handler.__init__(self)
        self.log_sink = log_sink
        self._frames = frames

    def emit(self, record):
        """Pass the record on."""
        frame = self._frames.get(_level(record)) if self._frames else None
        self.log_sink.log(self.format(record), frame)


def _level(record):
    return min(50, max(0, record.levelno)) // 10 * 10


class JsonFormatter(logging.Formatter):
    """Records as JSON objects, under AWS_LAMBDA_LOG_FORMAT=JSON."""

    def format(self, record):
        """One line."""
        level = _level(record)
        kind, error, trace = record.exc_info if record.exc_info else (None, None, None)
        result = [
            ("timestamp", self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ")),
            ("level", logging.getLevelName(level)),
            ("message", record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage()),
            ("logger", record.name),
            ("stackTrace", traceback.format_tb(trace) if kind else None),
            ("errorType", kind.__name__ if kind else None),
            ("errorMessage", str(error) if kind else None),
            ("requestId", record.aws_request_id),
            ("location", "%s:%s:%s" % (record.pathname, record.funcName, record.lineno) if kind else None),
        ]
        taken = set(name for name, _ in result)
        for name, value in record.__dict__.items():
            if name not in _STANDARD_FIELDS and name not in taken:
                result.append((name, value))
        pairs = ["%s: %s" % (_plain(name), _plain(value)) for name, value in result if value is not None]
        return "{" + ", ".join(pairs) + "}\n"


def _plain(value):
    return json.dumps(value, ensure_ascii=False, default=str)


class Encoder(json.JSONEncoder):
    """JSON with decimals written digit by digit."""

    def __init__(self):
        late = os.environ.get("AWS_EXECUTION_ENV") in _LATE_UNICODE
        super(Encoder, self).__init__(ensure_ascii=not late, allow_nan=True)
        self._marked = False

    def default(self, value):
        """A decimal becomes a marked string, which `text` turns into the number."""
        if isinstance(value, decimal.Decimal):
            if value.is_nan():
                return float("nan")
            self._marked = True
            return _DECIMAL_MARK + str(value) + _DECIMAL_MARK
        return json.JSONEncoder.default(self, value)

    def text(self, value):
        """The JSON text of a value."""
        self._marked = False
        encoded = self.encode(value)
        if self._marked:
            return re.sub('"\\\\u0001decimal\\\\u0001([^"\\\\]*)\\\\u0001decimal\\\\u0001"', r"\1", encoded)
        return encoded


def find_handler(handler):
    """The function that "module.function" names. Raises Fault with AWS's types and texts."""
    try:
        module_name, function_name = handler.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (handler, error))
    if module_name.split(".")[0] in sys.builtin_module_names:
        text = "Cannot use built-in module %s as a handler module" % module_name
        raise Fault("Runtime.BuiltInModuleConflict", text)
    try:
        module = importlib.import_module(str(module_name.replace("/", ".")))
    except ImportError as error:
        if re.search(r"No module named '?(boto3|botocore)", str(error)):
            fix = "undercast runtimes install python%d.%d" % sys.version_info[:2]
            _write(sys.stderr, "undercast: AWS's SDK for Python comes with `%s`\n" % fix)
        raise Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, error))
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        text = "Syntax error in module '%s': %s" % (module_name, error)
        raise Fault("Runtime.UserCodeSyntaxError", text, trace)
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function_name, module_name))


class Runtime(object):
    """The loop: wait for an event, call the handler, post what it returned or raised."""

    def __init__(self, api, log_sink):
        self._api = api
        self._log_sink = log_sink
        self._encoder = Encoder()
        self._json_logs = (os.environ.get("AWS_LAMBDA_LOG_FORMAT") or "").upper() == "JSON"
        self._level = {None: "", "TRACE": "DEBUG"}.get(
            os.environ.get("AWS_LAMBDA_LOG_LEVEL"), os.environ.get("AWS_LAMBDA_LOG_LEVEL")
        ).upper()

    def set_up_logging(self):
        """The root logger writes to the function's log, in AWS's format."""
        logging.Formatter.converter = time.gmtime
        framed = self._json_logs or self._level
        frames = (_JSON_FRAMES if self._json_logs else _TEXT_FRAMES) if framed else None
        handler = _Handler(self._log_sink, frames)
        text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        handler.setFormatter(JsonFormatter() if self._json_logs else logging.Formatter(text, "%Y-%m-%dT%H:%M:%S"))
        handler.addFilter(_Filter())
        logger = logging.getLogger()
        if self._level in ("DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL", "NOTSET"):
            logger.setLevel(str(self._level))
        logger.addHandler(handler)

    def load(self, handler):
        """The handler; when it cannot be loaded the API is told and the process ends."""
        try:
            return find_handler(handler)
        except Fault as fault:
            error = _error(fault.message, fault.error_type, fault.trace, "")
        except Exception:
            error, _ = _raised("")
        logging.warning(_UNHANDLED)
        self._log_error(error)
        self._api.post_init_error(error)
        sys.exit(1)

    def restore(self, await_restore):
        """SnapStart: hooks, the snapshot between them, and the process ends when a hook fails. As awslambdaric does."""
        try:
            import snapshot_restore_py as hooks
        except ImportError:
            before, after = [], []
        else:
            before, after = hooks.get_before_snapshot(), hooks.get_after_restore()
        try:
            while before:
                function, args, kwargs = before.pop()
                function(*args, **kwargs)
            await_restore()
        except BaseException:
            self._hook_failed("init/error", "Runtime.BeforeSnapshotError", 64)
        try:
            for function, args, kwargs in after:
                function(*args, **kwargs)
        except BaseException:
            self._hook_failed("restore/error", "Runtime.AfterRestoreError", 65)

    def _hook_failed(self, path, error_type, code):
        error, _ = _raised("")
        self._log_error(error)
        headers = (("Lambda-Runtime-Function-Error-Type", error_type),)
        self._api.post(path, self._encoder.text(error).encode("utf-8"), headers)
        sys.exit(code)

    def serve(self, function):
        """Run invocations for ever."""
        while True:
            headers, payload = self._api.wait_next_invocation()
            Current.request_id = headers.get("lambda-runtime-aws-request-id")
            trace_id = headers.get("lambda-runtime-trace-id")
            if trace_id is not None:
                os.environ["_X_AMZN_TRACE_ID"] = str(trace_id)
            else:
                os.environ.pop("_X_AMZN_TRACE_ID", None)
            handle_event_request(self._api, function, self, headers, payload)

    def invoke(self, function, headers, payload):
        """One invocation."""
        request_id = Current.request_id
        try:
            context = LambdaContext(headers, self._log_sink)
            event = _event(payload, headers.get("content-type"))
            body, content_type = self._marshal(function(event, context))
        except Fault as fault:
            error = _error(fault.message, fault.error_type, fault.trace, request_id)
            cause = _xray("LambdaValidationError", fault.message, [])
        except Exception:
            error, cause = _raised(request_id)
        else:
            self._api.post_invocation_result(request_id, body, content_type)
            return
        self._log_error(error)
        self._api.post_invocation_error(request_id, self._encoder.text(error), self._encoder.text(cause))

    def _marshal(self, result):
        if isinstance(result, bytes) and sys.version_info[0] > 2:
            return result, "application/unknown"
        try:
            return self._encoder.text(result).encode("utf-8"), "application/json"
        except Exception as error:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error)

    def _log_error(self, error):
        if self._json_logs:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            record = {"timestamp": stamp, "level": "ERROR"}
            record.update(error)
            self._log_sink.log_error([self._encoder.text(record)], _JSON_FRAMES[40])
            return
        lines = ["[ERROR] %s: %s" % (error["errorType"], error["errorMessage"])]
        if not error["errorMessage"]:
            lines = ["[ERROR] %s" % error["errorType"]]
        lines.append("Traceback (most recent call last):")
        for element in error["stackTrace"]:
            for line in element.splitlines() or [""]:
                text = line.lstrip(" ")
                lines.append(_INDENT * (len(line) - len(text)) + text)
        self._log_sink.log_error(lines, _TEXT_FRAMES[40])


def handle_event_request(lambda_runtime_client, request_handler, runtime, headers, payload):
    """What the loop calls for each event, looked up anew each time: see `LambdaRuntimeClient`."""
    runtime.invoke(request_handler, headers, payload)


def _event(payload, content_type):
    if content_type != "application/json":
        return payload
    try:
        return json.loads(payload.decode("utf-8"))
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error)


def _error(message, error_type, trace, request_id):
    return {
        "errorMessage": message or "",
        "errorType": error_type or "",
        "requestId": request_id or "",
        "stackTrace": trace or [],
    }


def extract_traceback(trace):
    """Its frames: path, line, function, text."""
    return [tuple(frame) for frame in traceback.extract_tb(trace)]


def _raised(request_id):
    """The exception being handled, as error and as X-Ray cause, without the frames of this runtime."""
    kind, value, trace = sys.exc_info()
    frames = extract_traceback(trace)
    own = ("/bootstrap.py", "/undercast_runtime_client.py")
    first = next((index for index, frame in enumerate(frames) if not frame[0].endswith(own)), 0)
    frames = frames[first:]
    error = _error(str(value), kind.__name__, traceback.format_list(frames), request_id)
    return error, _xray(kind.__name__, str(value), frames)


def _xray(kind, message, frames):
    stack = [{"label": name, "path": path, "line": line} for path, line, name, _ in frames]
    return {
        "working_directory": os.getcwd(),
        "exceptions": [{"message": message, "type": kind, "stack": stack}],
        "paths": sorted(set(frame[0] for frame in frames)),
    }


def run(handler, address, await_restore=None):
    """Become the runtime. `await_restore` takes the address, and returns when a SnapStart runtime was restored."""
    if sys.version_info[:2] == (3, 6):
        # Without a UTF-8 locale this one Python 3 would refuse to print anything but ASCII.
        import io

        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "replace", line_buffering=True)
        sys.stderr = io.TextIOWrapper(sys.stderr.buffer, "utf-8", "backslashreplace", line_buffering=True)
    sys.stdout = Unbuffered(sys.stdout)
    sys.stderr = Unbuffered(sys.stderr)
    descriptor = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
    log_sink = FramedLogSink(int(descriptor)) if descriptor else StandardLogSink()
    runtime = Runtime(LambdaRuntimeClient(address), log_sink)
    runtime.set_up_logging()
    function = runtime.load(handler)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start" and await_restore is not None:
        runtime.restore(lambda: await_restore(address))
    runtime.serve(function)
