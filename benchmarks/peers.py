"""What Undercast is measured beside: the floor, ministack, moto, DynamoDB Local and serverless-offline; each installed
once under .cache/.

A peer that cannot be installed here is reported as missing; its ratios are then not judged.
"""

import compileall
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "bench"
FLOOR = [sys.executable, str(HERE / "floor_lambda.py")]
RIC_NEEDS = {
    "npm": "npm",
    "make": "make",
    "autoconf": "autoconf",
    "automake": "automake",
    "libtoolize": "libtool",
    "cmake": "cmake",
    "g++": "g++",
}
"""Commands that the build of aws-lambda-ric runs, and Debian's packages that bring them."""
PLATFORM = [sys.executable, "-m", "undercast", "start", "--ephemeral"]


def say(text: str) -> None:
    """One line of progress on standard error."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def compile_platform() -> None:
    """Byte code for Undercast's source, as pip makes it when it installs the peers; some shells forbid to write it."""
    compileall.compile_dir(HERE.parent / "src" / "undercast", quiet=1)


def ministack() -> Path | None:
    """The command of ministack, installed from benchmarks/peers/requirements.lock."""
    return _from_pypi("ministack", "ministack", "requirements.lock")


def moto() -> Path | None:
    """The command of moto's server, installed from benchmarks/peers/moto.lock."""
    return _from_pypi("moto", "moto_server", "moto.lock")


def _from_pypi(name: str, command: str, lock: str) -> Path | None:
    venv = CACHE / name
    program = venv / "bin" / command
    if not program.exists():
        say(f"installing {name} (once)")
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [venv / "bin" / "pip", "install", "-q", "--require-hashes", "-r", HERE / "peers" / lock]
        if subprocess.run(pip, check=False).returncode != 0:
            return None
    return program


def dynamodb_local() -> list[str] | None:
    """The command of DynamoDB Local without its port and folder, from benchmarks/peers/dynamodb_local/pom.xml; None
    without Java 17 or Maven."""
    folder = CACHE / "dynamodb_local"
    java, maven = shutil.which("java"), shutil.which("mvn")
    if java is None:
        return None
    if not any(folder.glob("DynamoDBLocal-*.jar")):
        if maven is None:
            return None
        say("installing DynamoDB Local (once)")
        pom = HERE / "peers" / "dynamodb_local" / "pom.xml"
        copy = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
        if subprocess.run([*copy, f"-DoutputDirectory={folder}"], check=False).returncode != 0:
            return None
    main = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
    return [java, f"-Djava.library.path={folder}", "-cp", f"{folder}/*", main]


def serverless_offline() -> Path | None:
    """A folder with serverless-offline installed from its package-lock.json, or None without npm."""
    folder = CACHE / "serverless"
    command = folder / "node_modules" / ".bin" / "serverless"
    if command.exists():
        return folder
    if shutil.which("npm") is None:
        return None
    say("installing serverless-offline (once)")
    shutil.copytree(HERE / "peers", folder, dirs_exist_ok=True)
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    return folder if subprocess.run(npm, cwd=folder, check=False).returncode == 0 else None


def go_echo() -> Path | None:
    """A function on the bare Runtime API, built from benchmarks/go_echo; None without Go."""
    go = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)
    if go is None:
        return None
    program = CACHE / "go_echo"
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [go, "build", "-buildvcs=false", "-o", str(program), "."]
    subprocess.run(command, cwd=HERE / "go_echo", env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    return program


def node_ric() -> Path | None:
    """A program that starts a fresh node with AWS's runtime client; None, and a line that says why, where it cannot be
    built: npm builds it with curl, by autotools and CMake."""
    folder = CACHE / "node_ric"
    program = folder / "bootstrap"
    if (folder / "node_modules" / "aws-lambda-ric" / "dist" / "rapid-client.node").exists():
        return program
    lacking = [package for command, package in RIC_NEEDS.items() if shutil.which(command) is None]
    if lacking:
        say(f"aws-lambda-ric cannot be built without {', '.join(lacking)}: apt-get install {' '.join(lacking)}")
        return None
    say("building aws-lambda-ric (once, two minutes)")
    shutil.copytree(HERE / "node_ric", folder, dirs_exist_ok=True)
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    return program if subprocess.run(npm, cwd=folder, check=False).returncode == 0 else None


@contextmanager
def serving(command: list[str], port: int, folder: Path | None = None, **environment: str) -> Iterator[int]:
    """Run a server until the block ends; yields its pid once the port answers."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await_port(port, process)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not listen on {port}")
