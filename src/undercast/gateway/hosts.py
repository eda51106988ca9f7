"""Which Host names may be asked for.

Any web page can make a browser send requests to loopback under a name of its own (DNS rebinding). A name that cannot
be ours is refused before anything is parsed.
"""

import ipaddress

NOT_SERVED = "This Host name is not served. If it names this machine: undercast start --host-name NAME"
_EXACT = frozenset(
    {
        "localhost",
        "localhost.localstack.cloud",
        "host.undercast.internal",
        "sandbox.localdomain",
        # What SDKs make of localhost for operations with a host prefix: StartLiveTail, StartSyncExecution.
        "stream-localhost",
        "streaming-localhost",
        "sync-localhost",
    }
)
_SUFFIXES = (".localhost", ".localhost.localstack.cloud", ".amazonaws.com", ".amazonaws.com.cn", ".on.aws")


class HostNames:
    """The names under which this platform answers. `extra` are further exact names from the configuration.

    `addresses`: an address in place of a name is answered, too, because the platform listens beyond loopback. A page
    that rebinds a name sends the name, never an address.
    """

    def __init__(self, extra: tuple[str, ...] = (), *, addresses: bool = False) -> None:
        self._exact = _EXACT | {name.lower() for name in extra}
        self._addresses = addresses
        self._seen: set[str] = set()

    def allowed(self, host_header: str) -> bool:
        """Whether a request with this Host header may go on. An absent header is HTTP/1.0 and allowed."""
        if host_header in self._seen or not host_header:
            return True
        name = name_of(host_header)
        answer = name in self._exact or name.endswith(_SUFFIXES) or self._is_address(name)
        if answer and len(self._seen) < 1024:
            self._seen.add(host_header)
        return answer

    def may_be_named_after_others(self, host_header: str) -> bool:
        """Whether the name lies below one of ours: it may be a bucket's, a function URL's or an AWS endpoint's."""
        name = name_of(host_header)
        return name not in self._exact and name.endswith(_SUFFIXES)

    def _is_address(self, name: str) -> bool:
        return _is_address(name) if self._addresses else _is_loopback(name)


def name_of(host_header: str) -> str:
    """Lower case, without port."""
    host = host_header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def is_local(name: str) -> bool:
    """Whether a lower-case name is this machine's loopback for every browser, whatever a DNS server says."""
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
