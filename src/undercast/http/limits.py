"""What one connection may cost before it is answered with an error or closed.

Frozen numbers, sizes in bytes and times in seconds. S3 closes a socket that is silent for 20 s in the same way.
AWS: S3 API Reference, "List of error codes" (RequestTimeout, EntityTooLarge, MaxMessageLengthExceeded).
"""

from undercast.core.record import record


@record
class HttpLimits:
    """The limits of one listener's connections."""

    max_head_bytes: int = 64 * 1024
    """Request line and headers; above it 431."""
    max_headers: int = 512
    """Of different names; above it 431. In memory each takes some 200 bytes, however short it is."""
    max_body_bytes: int = 6 * 1024**3
    """Above it 413."""
    gathered_body_bytes: int = 64 * 1024
    """A body that declares at most this length is gathered before the handler runs, also when it came late."""
    buffer_bytes: int = 256 * 1024
    """How much of a body is held before the sender is stopped, and of a response before its maker is."""
    held_bytes: int = 64 * 1024 * 1024
    """What the HTTP/2 requests of one listener (an environment, or the front door) hold in memory together; beyond it
    503."""
    unread_bytes: int | None = None
    """What the responses of one listener may wait in memory for clients that do not read; whoever goes beyond it loses
    the connection. None: as much as there is."""
    max_pipelined: int = 64
    """Requests that may wait behind one that is being answered."""
    head_timeout_s: float = 20.0
    """From the first byte of a request (or the connection) to the end of its head."""
    body_timeout_s: float = 20.0
    """A body must bring `min_body_rate` bytes per second over each such span."""
    min_body_rate: float = 16.0
    keep_alive_timeout_s: float | None = 300.0
    """How long a connection may stay open between two requests; None: for ever."""
    write_timeout_s: float = 60.0
    """How long a client may leave a response unread."""
    drain_bytes: int = 1024 * 1024
    """How much of a body that the handler did not want is read and dropped to keep the connection."""
    linger_s: float = 2.0
    """How long a refused sender may go on sending, so that it gets to read its response."""
    max_connections: int = 4096
    """Per listener. Beyond it the longest idle connection is closed for each new one."""
