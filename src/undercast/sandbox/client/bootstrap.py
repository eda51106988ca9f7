# mypy: ignore-errors
"""What runs as /var/runtime/bootstrap.py: sets sys.path as AWS does and hands over to a runtime client.

Fresh (`python bootstrap.py`) or forked (a zygote imports it, forks, calls `main`): the function cannot tell.
Agents look for the runtime in the module __main__, where AWS's bootstrap.py has it: as `awslambdaricmain.bootstrap`,
or as `bootstrap`, where awslambdaric is run as a module (sentry-python, integrations/aws_lambda.py).
Standard library only; Python 2.7 and 3.6 read this file too.
AWS: Lambda Developer Guide, "Building Lambda functions with Python", "Dependency search path".
"""

import os
import sys

if __name__ != "__main__":
    # Imported by a zygote. AWS's native client takes the address when it is imported; inside it is always this one.
    os.environ.setdefault("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")

RUNTIME_DIR = os.path.dirname(os.path.abspath(__file__))
_CLIENT = "awslambdaric" if os.path.isdir(os.path.join(RUNTIME_DIR, "awslambdaric")) else "undercast_runtime_client"
_STANDARD = (
    "base64",
    "calendar",
    "concurrent.futures",
    "copy",
    "datetime",
    "decimal",
    "email.parser",
    "email.utils",
    "gzip",
    "hashlib",
    "hmac",
    "http.client",
    "http.cookies",
    "inspect",
    "json",
    "logging",
    "platform",
    "random",
    "select",
    "shutil",
    "socket",
    "ssl",
    "tempfile",
    "threading",
    "traceback",
    "typing",
    "urllib.parse",
    "urllib.request",
    "uuid",
    "xml.etree.ElementTree",
)
PRELOAD = (
    ("awslambdaric.__main__", "awslambdaric.lambda_literals") if _CLIENT == "awslambdaric" else (_CLIENT,)
) + _STANDARD
"""What a zygote imports before it forks."""


def main():
    """Become the runtime of the function that the environment describes. Returns only by an exception."""
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    forked = _CLIENT in sys.modules
    sys.path[:] = search_path(task_root, os.environ)
    if forked:
        _forget_shadowed(task_root)
    handler = os.environ["_HANDLER"]  # which a wrapper script may have changed
    if _CLIENT == "awslambdaric":
        _run_awslambdaric(handler, forked)
    else:
        global bootstrap
        import undercast_runtime_client as bootstrap

        _hide_library(bootstrap)
        bootstrap.run(handler, os.environ["AWS_LAMBDA_RUNTIME_API"], await_restore)


def await_restore(address):
    """What a SnapStart runtime does between its hooks. It may be taken as a snapshot where it pauses: what goes on
    behind that is a copy of this process, in another sandbox, which asks anew."""
    answer = _ask_restore(address)
    while answer.get("pause"):
        import signal

        signal.pause()
        _be_unique()
        answer = _ask_restore(address)
    os.environ.update(answer.get("environment") or {})


def _ask_restore(address):
    """GET restore/next, on a connection that is closed afterwards: a snapshot has none."""
    import http.client
    import json

    connection = http.client.HTTPConnection(address)
    try:
        connection.request("GET", "/2018-06-01/runtime/restore/next")
        answer = connection.getresponse().read()
    finally:
        connection.close()
    try:
        return json.loads(answer.decode("utf-8"))
    except ValueError:
        return {}


def _be_unique():
    """Generators that this interpreter keeps in its memory give other numbers in every copy. What reads the kernel's
    (os.urandom, secrets, uuid4) does so anyway. A generator that the function has seeded is the function's."""
    modules = sys.modules
    if "random" in modules:
        modules["random"].seed()
    if "ssl" in modules:
        modules["ssl"].RAND_add(os.urandom(64), 64.0)
    if "uuid" in modules:
        modules["uuid"]._last_timestamp = None
    if "tempfile" in modules:
        modules["tempfile"]._name_sequence = None


def search_path(task_root, environment):
    """/var/task, the layers, PYTHONPATH (by default /var/runtime), the standard library; no site-packages of this
    machine's interpreter, for AWS's has none of them."""
    version = "python%d.%d" % sys.version_info[:2]
    # Layers are beside /var/task, except in the process driver, where PYTHONPATH and this variable name real folders.
    opt = environment.get("UNDERCAST_OPT_ROOT", "/opt")
    layers = [os.path.join(opt, "python", "lib", version, "site-packages"), os.path.join(opt, "python")]
    named = [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]
    if RUNTIME_DIR not in named:
        named.append(RUNTIME_DIR)
    library = os.path.dirname(os.__file__)
    archive = os.path.join(os.path.dirname(library), "python%d%d.zip" % sys.version_info[:2])
    return [task_root] + layers + named + [archive, library, os.path.join(library, "lib-dynload")]


def _hide_library(client):
    """In an error's stack the standard library is in /var/lang, as on AWS, wherever this machine has it."""
    extract, library = client.extract_traceback, os.path.dirname(os.__file__)
    shown = "/var/lang/lib/python%d.%d" % sys.version_info[:2]

    def extract_traceback(trace):
        frames = [tuple(frame) for frame in extract(trace)]
        return [
            (shown + frame[0][len(library) :],) + frame[1:] if frame[0].startswith(library + os.sep) else frame
            for frame in frames
        ]

    client.extract_traceback = extract_traceback


def _forget_shadowed(task_root):
    """A module of the function that has the name of one we imported before the fork must win, as on AWS."""
    tops = set(name.partition(".")[0] for name in _STANDARD)
    for entry in os.listdir(task_root):
        top = entry[:-3] if entry.endswith(".py") else entry
        if top in tops:
            for name in [name for name in sys.modules if name.partition(".")[0] == top]:
                del sys.modules[name]


def _run_awslambdaric(handler, forked):
    global awslambdaricmain
    import awslambdaric.__main__ as awslambdaricmain

    if forked:
        _take_environment_again()
    from awslambdaric import bootstrap, lambda_runtime_client

    _hide_library(bootstrap)
    lambda_runtime_client.BaseLambdaRuntimeClient.restore_next = lambda self: await_restore(self.lambda_runtime_address)
    awslambdaricmain.main(["awslambdaric", handler])


def _take_environment_again():
    """awslambdaric reads these variables when it is imported, which was before the fork."""
    import importlib

    from awslambdaric import bootstrap, lambda_runtime_client, lambda_runtime_marshaller

    lambda_runtime_client.BaseLambdaRuntimeClient.marshaller = lambda_runtime_marshaller.LambdaMarshaller()
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") or os.environ.get("AWS_LAMBDA_LOG_LEVEL"):
        importlib.reload(bootstrap)


if __name__ == "__main__":
    main()
