"""Java functions: a JDK or JRE of this machine and AWS's own runtime client from Maven Central.

AWS's client finds the function's classes itself: /var/task, /var/task/lib/*.jar, /opt/java/lib/*.jar. A JVM runs what
older ones run, so a missing version is served by the next younger one.
AWS: Lambda Developer Guide, "Building Lambda functions with Java"; "Customize Java runtime startup behavior".
"""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.lang import lang_folder
from undercast.sandbox.runtimes.leftovers import used
from undercast.sandbox.runtimes.lookup import Interpreter
from undercast.sandbox.runtimes.plan import RuntimePlan, invalid_runtime, with_wrapper
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.table import RuntimeRow
from undercast.sandbox.runtimes.truststore import PASSWORD, truststore

CLIENT_VERSION = "2.10.1"
"""Of aws-lambda-java-runtime-interface-client."""
_MAIN = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
_HEAP_PERCENT = 85
_FIRST_C1_ONLY = 17
_FIRST_WITH_MODULES = 9
_NEAR_WORDS = "{row} runs on Java {found}: Java {wanted} is not installed here"
_DEBIAN = "/etc/java-{major}-openjdk"
"""Where Debian keeps what its JDK's conf folder links to."""


@record
class JavaRuntime:
    """`runtimes_dir` is in the data folder, `installs_dir` what the user installed, `ca_bundle` what AWS names need."""

    lookup: ProgramLookup
    runtimes_dir: Path
    installs_dir: Path
    ca_bundle: Path | None = None
    _ready: dict[str, Path] = field(default_factory=dict, compare=False)
    _building: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def plan(self, row: RuntimeRow, function: FunctionVersion) -> RuntimePlan:
        """How to start the function. Raises InvalidRuntimeException without a JVM or without AWS's client."""
        versions = (row.version, *row.nearest)
        found = next((hit for version in versions if (hit := self.lookup.find("java", version))), None)
        if found is None:
            raise invalid_runtime(
                f"No Java {row.version[0]} or younger is installed for the runtime {row.identifier}. Install one "
                f"(your system's openjdk-{max(row.version[0], 17)}-jre-headless, sdkman or mise) and try again"
            )
        client = client_folder(self.installs_dir)
        if not client.is_dir():
            raise invalid_runtime(
                f"AWS's runtime client for {row.identifier} is not installed. "
                f"Install it (`undercast runtimes install {row.identifier}`) and try again"
            )
        runtime_dir = self._folder(client)
        trusts = (runtime_dir / "cacerts").exists()
        program, options = with_wrapper(("{lang}/java", *_flags(found, function, trusts=trusts)), function)
        dotted = ".".join(map(str, found.version))
        near = found.version[: len(row.version)] != row.version
        return RuntimePlan(
            program=program,
            options=options,
            arguments=(function.handler,),
            execution_env=f"AWS_Lambda_{row.identifier}",
            runtime_dir=runtime_dir,
            lang_dir=lang_folder(self.runtimes_dir, _lang(found.path)),
            prefixes=(*found.prefixes, *_configuration(found)),
            telemetry=True,
            version_label=f"java:{dotted}.undercast",
            notice=_NEAR_WORDS.format(row=row.identifier, found=dotted, wanted=row.version[0]) if near else "",
        )

    def _folder(self, client: Path) -> Path:
        """What functions see as /var/runtime: lib/*.jar, and the certificates that Java is to trust."""
        pem = self.ca_bundle.read_text("utf-8") if self.ca_bundle is not None and self.ca_bundle.exists() else ""
        name = f"java-{hashlib.sha256(f'{client}{pem}'.encode()).hexdigest()[:16]}"
        with self._building:
            if name not in self._ready:
                self._ready[name] = _build(self.runtimes_dir / name, client, pem)
            return self._ready[name]


def client_folder(installs_dir: Path) -> Path:
    """Where AWS's client and what it needs is when the user has installed it."""
    return installs_dir / "java" / f"client-{CLIENT_VERSION}"


def _build(folder: Path, client: Path, pem: str) -> Path:
    if folder.is_dir():
        return used(folder)
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "lib").mkdir(parents=True, mode=0o755)
    for jar in client.glob("*.jar"):
        shutil.copyfile(jar, draft / "lib" / jar.name)
    if pem:
        (draft / "cacerts").write_bytes(truststore(pem))
    draft.chmod(0o755)
    draft.rename(folder)
    return folder


def _flags(found: Interpreter, function: FunctionVersion, *, trusts: bool) -> Iterator[str]:
    """Heap of the function's memory, serial collector, and from Java 17 on the first compiler only, as AWS has it."""
    yield f"-XX:MaxHeapSize={function.memory_mb * 1024 * _HEAP_PERCENT // 100}k"
    yield "-XX:+UseSerialGC"
    yield "-Xshare:auto"
    if found.version[0] >= _FIRST_C1_ONLY:
        yield "-XX:+TieredCompilation"
        yield "-XX:TieredStopAtLevel=1"
    if found.version[0] >= _FIRST_WITH_MODULES:
        # AWS's client reaches for the telemetry descriptor by reflection; without it a record's lines are apart.
        yield "--add-opens=java.base/java.io=ALL-UNNAMED"
    if trusts:
        yield "-Djavax.net.ssl.trustStore={runtime}/cacerts"
        yield f"-Djavax.net.ssl.trustStorePassword={PASSWORD}"
        yield "-Djavax.net.ssl.trustStoreType=JKS"
    yield "-classpath"
    yield "{runtime}/lib/*"
    yield _MAIN


def _lang(program: Path) -> dict[str, Path]:
    """A JVM finds the rest of itself from where its program is."""
    home = program.parent.parent
    return {"bin/java": program, **{name: home / name for name in ("lib", "conf") if (home / name).is_dir()}}


def _configuration(found: Interpreter) -> Iterator[Path]:
    folder = Path(_DEBIAN.format(major=found.version[0]))
    if folder.is_dir() and (found.path.parent.parent / "conf/net.properties").is_symlink():
        yield folder
