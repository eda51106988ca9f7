"""The local certificate authority: one root in the data folder, a certificate for whatever name a client asks for.

Keys are 0600 and made once. Leaves live in memory, but for the moment in which OpenSSL reads them from a file.
AWS: the names of its endpoints, e.g. "*.s3.us-east-1.amazonaws.com", are served by certificates of this authority.
"""

import asyncio
import contextlib
import os
import ssl
import sys
import tempfile
import threading
from asyncio.subprocess import DEVNULL, PIPE
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

from undercast.core.clock import Clock
from undercast.core.late import Late

_CA_CERTIFICATE = "ca.pem"
_CA_KEY = "ca.key"
_CERTIFICATES = "undercast.http.certificates"
_NEW_AUTHORITY: Late[Callable[[float], tuple[bytes, bytes]]] = Late(_CERTIFICATES, "new_authority")
_NEW_LEAF: Late[Callable[[str, bytes, bytes, float], tuple[bytes, bytes]]] = Late(_CERTIFICATES, "new_leaf")
_BEGIN = b"-----BEGIN CERTIFICATE"
_CACHED_NAMES = 128
_MAKING_S = 20.0
"""How long the process that makes a new authority may take; it takes half a second."""
_DEFAULT_NAME = "localhost"
_SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class CertificateAuthority:
    """Issues server certificates. `folder` is made when it is missing."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._front: ssl.SSLContext | None = None
        self._making = threading.Lock()
        self._rooting = threading.Lock()

    @property
    def certificate_path(self) -> Path:
        """The root certificate in PEM, for those who trust it explicitly."""
        return self._folder / _CA_CERTIFICATE

    def ensure(self) -> None:
        """Make the root when there is none. Raises OSError when the folder cannot be written."""
        with self._rooting:
            if not self._has_root():
                self._keep_root(*_NEW_AUTHORITY.here()(self._clock.now()))

    async def prepare(self, bundle: Path) -> None:
        """`ensure` and `write_bundle` for a start: a new root is made by a process of its own.

        So `cryptography` (70 ms, 8 MiB) takes neither this one's time nor, for good, its memory. Where that process
        cannot be had, this one makes it.
        """
        if not self._has_root():
            key, begin, certificate = (await _made_elsewhere()).partition(_BEGIN)
            with self._rooting:
                if begin and not self._has_root():  # else a TLS client was quicker, or `ensure` has to make it
                    self._keep_root(key, begin + certificate)
        await asyncio.to_thread(self.write_bundle, bundle)

    def _has_root(self) -> bool:
        return (self._folder / _CA_KEY).exists() and self.certificate_path.exists()

    def _keep_root(self, key: bytes, certificate: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(self._folder / _CA_KEY, key)
        _write_private(self.certificate_path, certificate)
        self.certificate_path.chmod(0o644)

    def write_bundle(self, path: Path, roots: Iterable[Path] | None = None) -> None:
        """Write the machine's roots and ours to one file, for AWS_CA_BUNDLE, SSL_CERT_FILE and their like."""
        self.ensure()
        parts = [_system_roots()] if roots is None else [root.read_bytes() for root in roots]
        parts.append(self.certificate_path.read_bytes())
        draft = path.with_name(f"{path.name}.new")
        draft.write_bytes(b"\n".join(part.rstrip() for part in parts if part) + b"\n")
        draft.chmod(0o644)
        draft.replace(path)

    def ssl_context(self) -> ssl.SSLContext:
        """A server context that shows each client a certificate for the name it asks for (SNI).

        The first call loads `cryptography` (70 ms) and may come from any thread; later ones cost nothing.
        """
        with self._making:
            if self._front is None:
                context = self._context_for(_DEFAULT_NAME)
                context.sni_callback = self._choose
                self._front = context
        return self._front

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None:
            return None
        if not is_host_name(name):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        name = name.lower()
        is_kinesis = speaks_http2(name)
        connection.context = self._context_for(name if is_kinesis else covering_name(name), http2=is_kinesis)
        return None

    def _context_for(self, name: str, *, http2: bool = False) -> ssl.SSLContext:
        cached = self._contexts.get(name)
        if cached is not None:
            self._contexts.move_to_end(name)
            return cached
        self.ensure()
        key, certificate = _NEW_LEAF.here()(
            name, (self._folder / _CA_KEY).read_bytes(), self.certificate_path.read_bytes(), self._clock.now()
        )
        context = _load(key, certificate, ("h2", "http/1.1") if http2 else ("http/1.1",))
        self._contexts[name] = context
        if len(self._contexts) > _CACHED_NAMES:
            self._contexts.popitem(last=False)
        return context


def is_host_name(name: str) -> bool:
    """Whether a name asked for by SNI may stand in a certificate."""
    labels = name.rstrip(".").split(".")
    return len(name) <= 253 and all(
        0 < len(label) <= 63 and label.isascii() and label.replace("-", "").replace("_", "").isalnum()
        for label in labels
    )


def speaks_http2(host: str) -> bool:
    """Whether HTTP/2 is offered there: on Kinesis's hosts, whose clients ask for it; as on AWS, on few others."""
    labels = host.split(".")
    return host.endswith(".amazonaws.com") and any(label.endswith("kinesis") for label in labels[:2])


def covering_name(host: str) -> str:
    """The name to issue for a host: its own, or a wildcard one label up where AWS has one name per resource.

    A bucket or an API id is the first label: "*.s3.eu-west-1.amazonaws.com" covers "b.s3.eu-west-1.amazonaws.com", so
    that the cache does not fill with buckets.
    """
    host = host.rstrip(".")
    first, _, parent = host.partition(".")
    if first and parent.count(".") >= 2 and parent.endswith((".amazonaws.com", ".localstack.cloud")):
        return f"*.{parent}"
    return host


async def _made_elsewhere() -> bytes:
    """Key and certificate of a new authority; nothing where this Python cannot be started by itself, or hangs."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", _CERTIFICATES, cwd="/", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError:
        return b""
    try:
        async with asyncio.timeout(_MAKING_S):
            made, _ = await process.communicate()
    except TimeoutError:
        return b""
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return made if process.returncode == 0 else b""


def _system_roots() -> bytes:
    paths = (ssl.get_default_verify_paths().cafile, *_SYSTEM_ROOTS)
    for path in paths:
        if path and Path(path).is_file():
            return Path(path).read_bytes()
    return b""


def _write_private(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _load(key: bytes, certificate: bytes, protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # a client could have us do handshakes without end on one connection
    context.set_alpn_protocols(protocols)
    # The ssl module loads a key only from a file; a 0600 file that exists for this call alone.
    with tempfile.NamedTemporaryFile() as file:
        file.write(key + certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context
