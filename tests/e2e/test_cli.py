"""The `undercast` command, run as a user runs it."""

import datetime
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from tests.e2e.functions import create_function, package
from tests.platform import RunningPlatform, running, start, stop

PYTHON = f"python3.{sys.version_info.minor}"
CODE = "import sys\n\ndef handler(event, context):\n    print('hello', event)\n    return {'got': event['n'] + 1}\n"


def undercast(*arguments: str, url: str = "", expect: int = 0, stdin: str | None = None) -> tuple[str, str]:
    """Run a command; its standard output and error."""
    environment = {**os.environ, "AWS_ENDPOINT_URL": url or "http://localhost:1", "AWS_REGION": "us-east-1"}
    environment["XDG_STATE_HOME"] = os.devnull  # whoever runs the tests may have a platform of their own
    done = subprocess.run(
        [sys.executable, "-m", "undercast", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        input=stdin,
        timeout=60,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def function(platform: RunningPlatform) -> str:
    """A function that has run once."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", CODE)
    client = platform.client("lambda")
    client.create_function(
        FunctionName="cli-function",
        Runtime=PYTHON,
        Role="arn:aws:iam::000000000000:role/cli",
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="cli-function", WaiterConfig={"Delay": 1})
    return "cli-function"


def test_version() -> None:
    """`undercast version` prints name and version."""
    assert undercast("version")[0].startswith("undercast ")


def test_help_lists_every_command() -> None:
    """`undercast --help` names what the README promises."""
    text, _ = undercast("--help")
    for command in ("start", "stop", "status", "doctor", "env", "logs", "invoke", "trace", "clock", "version"):
        assert command in text


def test_env_gives_lines_that_a_shell_takes(platform: RunningPlatform) -> None:
    """eval "$(undercast env)" points AWS tools at the platform."""
    text, _ = undercast("env", url=platform.url)
    shell = f'{text}\necho "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID"'
    said = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
    assert said.split()[0] == platform.url
    assert json.loads(undercast("env", "--json", url=platform.url)[0])["AWS_ENDPOINT_URL"] == platform.url


def test_invoke_prints_answer_and_log(platform: RunningPlatform, function: str) -> None:
    """The answer goes to standard output, the log to standard error, plain text without a terminal."""
    answer, log = undercast("invoke", function, '{"n": 41}', url=platform.url)
    assert json.loads(answer) == {"got": 42}
    assert "hello {'n': 41}" in log
    assert "REPORT RequestId:" in log
    assert "\x1b" not in answer + log


def test_invoke_takes_a_file_and_standard_input(platform: RunningPlatform, function: str, tmp_path: Path) -> None:
    """@FILE and - name where the payload is."""
    event = tmp_path / "event.json"
    event.write_text('{"n": 1}')
    assert json.loads(undercast("invoke", function, f"@{event}", url=platform.url)[0]) == {"got": 2}
    assert json.loads(undercast("invoke", function, "-", url=platform.url, stdin='{"n": 2}')[0]) == {"got": 3}


def test_invoke_of_a_failing_function_exits_1(platform: RunningPlatform, function: str) -> None:
    """A function error is an error for scripts; --json keeps it readable."""
    text, _ = undercast("invoke", function, "{}", "--json", url=platform.url, expect=1)
    answer = json.loads(text)
    assert answer["error"] == "Unhandled"
    assert json.loads(answer["payload"])["errorType"] == "KeyError"


def test_logs_prints_a_functions_log(platform: RunningPlatform, function: str) -> None:
    """`undercast logs FUNCTION` needs only the name."""
    undercast("invoke", function, '{"n": 5}', url=platform.url)
    assert "hello {'n': 5}" in undercast("logs", function, url=platform.url)[0]
    lines = undercast("logs", function, "--json", url=platform.url)[0].splitlines()
    assert any("hello {'n': 5}" in json.loads(line)["message"] for line in lines)


def test_logs_tail_follows(platform: RunningPlatform, function: str) -> None:
    """`undercast logs FUNCTION --tail` prints what is added while it runs, until it is interrupted."""
    command = [sys.executable, "-m", "undercast", "logs", function, "--tail"]
    environment = {**os.environ, "AWS_ENDPOINT_URL": platform.url, "AWS_REGION": "us-east-1"}
    undercast("invoke", function, '{"n": 6}', url=platform.url)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as following:
        try:
            assert following.stdout is not None
            assert any("hello {'n': 6}" in line for line in following.stdout)
            undercast("invoke", function, '{"n": 7}', url=platform.url)
            assert any("hello {'n': 7}" in line for line in following.stdout)
        finally:
            following.terminate()


def test_logs_of_nothing_says_when_a_group_appears(platform: RunningPlatform) -> None:
    """An error names the fix."""
    create_function(platform, "000000000000", "never-run", CODE)
    _, error = undercast("logs", "never-run", url=platform.url, expect=1)
    assert "a log group appears with the first run" in error


def test_logs_finds_the_log_group_that_a_function_was_given(platform: RunningPlatform) -> None:
    """LoggingConfig.LogGroup, in text, for --tail, and where the group of its name is asked for."""
    source = "def handler(event, context):\n    print('here', event)\n"
    name = "logs-elsewhere"
    create_function(platform, "000000000000", name, source, LoggingConfig={"LogGroup": "/mine/shared"})
    undercast("invoke", name, '{"n": 8}', url=platform.url)
    assert "here {'n': 8}" in undercast("logs", name, url=platform.url)[0]
    _, error = undercast("logs", f"/aws/lambda/{name}", url=platform.url, expect=1)
    assert f"{name} logs to /mine/shared" in error and "first run" not in error
    _, error = undercast("logs", "/mine/other", url=platform.url, expect=1)
    assert "undercast logs FUNCTION finds" in error and "first run" not in error
    command = [sys.executable, "-m", "undercast", "logs", name, "--tail"]
    environment = {**os.environ, "AWS_ENDPOINT_URL": platform.url, "AWS_REGION": "us-east-1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as following:
        try:
            assert following.stdout is not None
            assert any("here {'n': 8}" in line for line in following.stdout)
        finally:
            following.terminate()


def test_trace_of_an_unknown_id_says_so(platform: RunningPlatform) -> None:
    """An empty answer would look like a success."""
    _, error = undercast("trace", "no-such-id", url=platform.url, expect=1)
    assert "nothing is known of no-such-id" in error


def test_trace_of_a_direct_invoke_shows_it(platform: RunningPlatform, function: str) -> None:
    """An invocation that outsiders asked for and that caused nothing is the whole trace: one line."""
    answer = platform.client("lambda").invoke(FunctionName=function, Payload=b'{"n": 1}')
    request_id = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    shown = undercast("trace", request_id, url=platform.url)[0]
    assert shown.splitlines() == [f"lambda:Invoke {arn}  invocation {request_id}"]


def test_clock_shows_and_moves_the_platforms_clock(platform: RunningPlatform) -> None:
    """`undercast clock advance 1m30s` moves it by 90 seconds; `undercast clock` shows it."""
    before = json.loads(undercast("clock", "--json", url=platform.url)[0])
    moved = json.loads(undercast("clock", "advance", "1m30s", "--json", url=platform.url)[0])
    assert round(moved["ahead_s"] - before["ahead_s"], 3) == 90.0
    assert moved["now"] >= before["now"] + 90
    shown = undercast("clock", url=platform.url)[0]
    assert re.fullmatch(rf"[\d-]+T[\d:]+\+00:00  {moved['ahead_s']:.0f} s ahead of this machine\n", shown)


@pytest.mark.parametrize("wrong", ["6", "6w", "-6h", "h", "6h ", "٣s"])
def test_clock_refuses_what_is_no_duration(wrong: str) -> None:
    """The message shows what a duration is; no platform is asked."""
    _, error = undercast("clock", "advance", wrong, expect=1)
    assert "90s, 15m, 6h, 2d" in error
    assert ("never goes back" in error) == (wrong == "-6h")


def test_status_shows_environments(platform: RunningPlatform, function: str) -> None:
    """`undercast status` is readable text, and JSON with --json."""
    undercast("invoke", function, '{"n": 5}', url=platform.url)
    answer = json.loads(undercast("status", "--json", url=platform.url)[0])
    functions = [entry["function"] for entry in answer["sandboxes"]["functions"]]
    assert f"arn:aws:lambda:us-east-1:000000000000:function:{function}" in functions
    lines = undercast("status", url=platform.url)[0].splitlines()
    assert lines[0].split()[:2] == ["platform", platform.url]
    assert f"pid {platform.process.pid}" in lines[0]
    head = next(line.split() for line in lines if line.startswith("function "))
    assert head == ["function", "version", "account", "region", "environments", "waiting"]
    (mine,) = (line.split() for line in lines if line.startswith(f"{function} "))
    assert mine[:5] == [function, "$LATEST", "000000000000", "us-east-1", "1"]
    assert mine[-1] == "0"


def test_status_shows_what_was_given_up(platform: RunningPlatform, function: str) -> None:
    """What each was, why it ended, where it was sent on to, and what shows more; of the function's error the words."""
    client = platform.client("lambda")
    client.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    answer = client.invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    event_id = answer["ResponseMetadata"]["RequestId"]
    platform.drain()
    lines = undercast("status", url=platform.url)[0].splitlines()
    (mine,) = (line for line in lines if line.startswith(event_id))
    cells = re.split(r"  +", mine)
    assert cells[2] == f"lambda arn:aws:lambda:us-east-1:000000000000:function:{function}"
    assert cells[3:] == ["1 attempt: RetriesExhausted: KeyError: 'n'", "nothing"]
    hints = "\n".join(lines[lines.index(mine) :])
    assert "undercast trace ID" in hints and "a dead-letter queue or an OnFailure destination" in hints
    assert "attempt 1: RetriesExhausted: KeyError" in undercast("trace", event_id, url=platform.url)[0]
    dead = json.loads(undercast("status", "--json", url=platform.url)[0])["dead_deliveries"]
    assert event_id in [one["id"] for one in dead]


def test_what_was_given_up_is_tried_again(platform: RunningPlatform) -> None:
    """With the function mended meanwhile, it is done under the same request id; and is given up no longer."""
    client = platform.client("lambda")
    function = "cli-mended"  # of its own: other tests read what the shared one prints
    create_function(platform, "000000000000", function, CODE)
    client.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    answer = client.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"no": 5}')
    event_id = answer["ResponseMetadata"]["RequestId"]
    platform.drain()
    assert event_id in undercast("deliveries", "list", url=platform.url)[0]
    mended = "def handler(event, context):\n    print('mended', context.aws_request_id, event)\n"
    client.update_function_code(FunctionName=function, ZipFile=package(mended))
    client.get_waiter("function_updated_v2").wait(FunctionName=function)
    assert undercast("deliveries", "retry", event_id, url=platform.url)[0] == f"{event_id}\n"
    platform.drain()
    assert event_id not in undercast("deliveries", "list", url=platform.url)[0]
    kept = json.loads(undercast("deliveries", "list", "--json", url=platform.url)[0])
    assert json.loads(undercast("status", "--json", url=platform.url)[0])["deliveries"]["dead"] == len(kept)
    assert f"mended {event_id} {{'no': 5}}" in undercast("logs", function, url=platform.url)[0]
    shown = undercast("trace", event_id, url=platform.url)[0]
    places = [
        shown.index(what) for what in ("KeyError  error", "attempt 1: RetriesExhausted", "again, as its user asks")
    ]
    assert places == sorted(places)
    _, error = undercast("deliveries", "retry", event_id, url=platform.url, expect=1)
    assert error == (
        f"undercast: no delivery {event_id} was given up, or it is kept no longer\n"
        "  the ids of those that are kept: undercast deliveries list\n"
    )
    for wrong in (), (event_id, "--all"):
        assert "or --all" in undercast("deliveries", "retry", *wrong, url=platform.url, expect=1)[1]


@pytest.mark.parametrize(
    ("words", "said"), [(("outbox",), "SNS has sent no"), (("images", "list"), "no image is loaded")]
)
def test_where_there_is_nothing_to_show_standard_error_says_so(words: tuple[str, ...], said: str) -> None:
    """Silence would look like a failure; standard output stays empty for scripts."""
    with running() as fresh:
        shown, told = undercast(*words, url=fresh.url)
    assert (shown, told.startswith(said)) == ("", True)


def test_another_program_at_the_address_is_no_platform() -> None:
    """One that does not speak HTTP, and one that does: an error with the fix, no traceback."""
    for said in (b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

            def answer(listener: socket.socket = listener, said: bytes = said) -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(said)

            thread = threading.Thread(target=answer)
            thread.start()
            _, error = undercast("status", url=f"http://127.0.0.1:{port}", expect=1)
            thread.join()
        assert error.startswith(f"undercast: no platform answers at http://127.0.0.1:{port} "), error
        assert "undercast start" in error


@pytest.mark.parametrize("asked", ["a b", "a?b#c", "ü", "../status"])
def test_a_trace_takes_any_text_as_an_id(platform: RunningPlatform, asked: str) -> None:
    """An object's id has "?" and "&" in it."""
    _, error = undercast("trace", asked, url=platform.url, expect=1)
    assert error.startswith(f"undercast: nothing is known of {asked}\n")


def test_a_trace_takes_the_id_of_an_object(platform: RunningPlatform, function: str) -> None:
    """As it is printed: ARN, version and sequencer."""
    functions, s3 = platform.client("lambda"), platform.client("s3")
    arn = functions.get_function_configuration(FunctionName=function)["FunctionArn"]
    functions.add_permission(
        FunctionName=function, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    s3.create_bucket(Bucket="cli-traced")
    wish = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="cli-traced", NotificationConfiguration=wish)
    put = s3.put_object(Bucket="cli-traced", Key="a b", Body=b"x")
    platform.drain()
    shown = undercast("trace", put["ResponseMetadata"]["RequestId"], url=platform.url)[0]
    (node,) = re.findall(r"object (arn:aws:s3:::cli-traced/a b\?\S+)", shown)
    assert undercast("trace", node, url=platform.url)[0] == shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("invoke", "f", "@/nowhere/payload.json"), "/nowhere/payload.json cannot be read: No such file or directory"),
        (("invoke", "f", "@/"), "/ cannot be read: Is a directory"),
        (("images", "load", "/nowhere/image.tar"), "/nowhere/image.tar does not exist"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(words: tuple[str, ...], said: str) -> None:
    """Before a platform is asked."""
    assert undercast(*words, expect=1)[1].splitlines()[0] == f"undercast: {said}"


def test_a_page_that_cannot_be_written_is_named(platform: RunningPlatform, function: str) -> None:
    """`undercast metrics --page`."""
    undercast("invoke", function, '{"n": 1}', url=platform.url)
    _, error = undercast("metrics", function, "--page", "/nowhere/page.html", url=platform.url, expect=1)
    assert error.startswith("undercast: /nowhere/page.html cannot be written: No such file or directory")


def test_ctrl_c_ends_a_tail_quietly(platform: RunningPlatform) -> None:
    """That is how it is meant to end."""
    platform.client("logs").create_log_group(logGroupName="/of/tail")
    platform.client("logs").create_log_stream(logGroupName="/of/tail", logStreamName="one")
    now = platform.ask("/_undercast/status")["clock"]["now"]
    event = {"timestamp": int(now * 1000), "message": "there"}
    platform.client("logs").put_log_events(logGroupName="/of/tail", logStreamName="one", logEvents=[event])
    command = [sys.executable, "-m", "undercast", "logs", "/of/tail", "--tail", "--data", str(platform.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("there\n")
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)
    assert (rest, process.returncode) == (("", ""), 0)


def test_no_platform_says_how_to_start_one() -> None:
    """An error names the fix."""
    _, error = undercast("status", expect=1)
    assert error.startswith("undercast: no platform answers at http://localhost:1 ") and "undercast start" in error
    for words in (("invoke", "f"), ("invoke", "f", "--debug"), ("logs", "f"), ("metrics",), ("watch", "f", ".")):
        shown, told = undercast(*words, expect=1)
        assert (shown, told.partition("; ephemeral")[0]) == ("", error.partition("; ephemeral")[0].rstrip("\n"))


def test_a_relative_data_folder_is_found_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--data DIR` of the start is the start's; a change needs the token in it."""
    monkeypatch.chdir(tmp_path)
    with running(Path("data")) as platform:
        monkeypatch.chdir("/")
        assert json.loads(undercast("status", "--json", url=platform.url)[0])["data"] == str(tmp_path / "data")
        undercast("clock", "advance", "1s", url=platform.url)


def test_an_address_that_is_none_is_told(platform: RunningPlatform) -> None:
    """Without its scheme, and with a path of something else."""
    _, error = undercast("status", url=platform.url.removeprefix("http://"), expect=1)
    assert error.endswith(f": export AWS_ENDPOINT_URL={platform.url}\n")
    _, error = undercast("status", url=f"{platform.url}/bucket", expect=1)
    assert error.startswith(f"undercast: no platform answers at {platform.url}/bucket: /_undercast/status is 404 there")


@pytest.mark.parametrize(
    ("words", "said", "fix"),
    [
        (("--host", "192.0.2.1"), "cannot listen on 192.0.2.1:0: ", "--host takes an address of this machine"),
        (("--port", "{taken}"), "Address already in use", "undercast start --port 0"),
    ],
)
def test_a_start_that_cannot_listen_says_what_to_change(
    platform: RunningPlatform, words: tuple[str, ...], said: str, fix: str
) -> None:
    """The address that is not here, the port that is not free."""
    taken = platform.url.rpartition(":")[2]
    _, error = undercast("start", "--ephemeral", "--port", "0", *(word.format(taken=taken) for word in words), expect=1)
    assert said in error and fix in error


def test_an_ephemeral_platform_is_named_where_none_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is nowhere else to be seen."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running() as platform:
        _, error = undercast("status", expect=1)
        assert f"; ephemeral platforms run in these folders: {platform.data}\n" in error
        url = undercast("env", "--json", "--data", str(platform.data))[0]
        assert json.loads(url)["AWS_ENDPOINT_URL"] == platform.url


def test_invoke_of_no_function_says_where_it_looked(platform: RunningPlatform, function: str) -> None:
    """AWS's error has neither; here an account or region of another shell is the usual cause."""
    _, error = undercast("invoke", "nope", url=platform.url, expect=1)
    assert "Function not found: arn:aws:lambda:us-east-1:" in error
    _, _, there = error.partition("looked in account ")
    assert there.startswith("000000000000, region us-east-1: ") and function in there
    _, error = undercast("invoke", "arn:aws:lambda:eu-west-1:000000000000:function:nope", url=platform.url, expect=1)
    assert function not in error
    _, error = undercast("invoke", function, "--qualifier", "nope", url=platform.url, expect=1)
    assert error.endswith(f"\n  {function} has $LATEST\n")
    _, error = undercast("logs", "nope", url=platform.url, expect=1)
    assert "\n  no function nope; looked in account 000000000000, region us-east-1: " in error
    _, error = undercast("invoke", function, "no json", url=platform.url, expect=1)
    assert error.endswith("""\n  the payload is JSON: '{"key": 1}', '"text"', or @FILE\n""")


@pytest.mark.parametrize("words", [("metrics", "nope"), ("watch", "nope", "."), ("profile", "nope"), ("logs", "nope")])
def test_every_command_says_where_it_looked_for_a_function(words: tuple[str, ...]) -> None:
    """Also where there is none at all, with what says where to look."""
    with running() as fresh:
        _, error = undercast(*words, url=fresh.url, expect=1)
    said = (
        "looked in account 000000000000, region us-east-1: no function is there (AWS_ACCESS_KEY_ID and AWS_REGION say"
    )
    assert said in error


def test_logs_of_long_ago_says_how_far_back_they_are(platform: RunningPlatform) -> None:
    """Nothing at all would look like a function that never ran; the `--since` that is told shows the event."""
    logs, now = platform.client("logs"), platform.ask("/_undercast/status")["clock"]["now"]
    logs.create_log_group(logGroupName="/of/old")
    assert undercast("logs", "/of/old", url=platform.url) == ("", "nothing in the last 60 minutes\n")
    logs.create_log_stream(logGroupName="/of/old", logStreamName="one")
    event = {"timestamp": int((now - 86400) * 1000), "message": "long ago"}
    logs.put_log_events(logGroupName="/of/old", logStreamName="one", logEvents=[event])
    shown, told = undercast("logs", "/of/old", url=platform.url)
    at = datetime.datetime.fromtimestamp(now - 86400, tz=datetime.UTC)
    found = re.fullmatch(r"nothing in the last 60 minutes; the last event is of (.{16}): --since (\d+)\n", told)
    assert (shown, found and found[1]) == ("", f"{at:%Y-%m-%d %H:%M}") and found is not None
    shown, told = undercast("logs", "/of/old", "--since", found[2], url=platform.url)
    assert (shown.endswith(" long ago\n"), told) == (True, "")


def test_status_of_a_new_start_says_that_nothing_has_run_since() -> None:
    """Functions of an earlier start may have run before."""
    with running() as fresh:
        assert "\nno function has run since this start\n" in undercast("status", url=fresh.url)[0]


def test_doctor_lists_what_is_isolated(platform: RunningPlatform) -> None:
    """`undercast doctor` works without a platform, and says what one here does."""
    answer = json.loads(undercast("doctor", "--json")[0])
    assert answer["driver"] == platform.driver
    assert answer["promises"] == platform.ask("/_undercast/capabilities")["promises"]
    assert answer["runtimes"][PYTHON].startswith("/")
    assert answer["runtimes"]["provided.al2023"] == "the package's own bootstrap"


def test_doctor_can_be_looked_over() -> None:
    """What holds is named in one line; every promise and every runtime is there once."""
    answer, text = json.loads(undercast("doctor", "--json")[0]), undercast("doctor")[0]
    (hard,) = (line for line in text.splitlines() if line.startswith("hard"))
    promised = answer["promises"]
    assert (
        hard.split(None, 1)[1] == "; ".join(name for name, how in promised.items() if how.startswith("hard")) or "none"
    )
    for name, how in promised.items():
        assert how.startswith("hard") or f"  {name} " in text
    assert "\nruntimes\n  ready" in text
    assert len(text.splitlines()) < len(promised) + len(answer["runtimes"]) / 2


def test_stop_ends_the_platform_of_a_folder(tmp_path: Path) -> None:
    """`undercast stop --data DIR` waits until it has ended; then there is nothing to stop."""
    platform = start(tmp_path / "data")
    assert "stopped" in undercast("stop", "--data", str(tmp_path / "data"))[0]
    assert platform.process.wait(10) == 0
    _, error = undercast("stop", "--data", str(tmp_path / "data"), expect=1)
    assert "no platform runs" in error


def test_a_second_platform_on_one_folder_is_refused(tmp_path: Path) -> None:
    """The message names the pid and both ways out."""
    with running(tmp_path / "data") as first:
        _, error = undercast("start", "--data", str(tmp_path / "data"), "--port", "0", expect=1)
    assert str(first.process.pid) in error
    assert "--data" in error


def test_a_port_in_use_is_refused_with_a_fix(platform: RunningPlatform) -> None:
    """The message says which option to use."""
    port = platform.url.rsplit(":", 1)[1]
    _, error = undercast("start", "--ephemeral", "--port", port, expect=1)
    assert "--port" in error


def test_the_runtime_apis_port_is_refused() -> None:
    """Inside a sandbox 127.0.0.1:9001 is taken."""
    _, error = undercast("start", "--ephemeral", "--port", "9001", expect=1)
    assert "Runtime API" in error


def test_an_ephemeral_folder_is_gone_after_the_end() -> None:
    """--ephemeral leaves nothing behind."""
    platform = start()
    assert platform.data.is_dir()
    assert stop(platform) == 0
    assert not platform.data.exists()


def test_state_survives_a_restart(tmp_path: Path) -> None:
    """Without --ephemeral what was written is there again."""
    with running(tmp_path / "data") as first:
        client = first.client("s3")
        client.create_bucket(Bucket="kept-bucket")
        client.put_object(Bucket="kept-bucket", Key="k", Body=b"kept")
    with running(tmp_path / "data") as second:
        assert second.client("s3").get_object(Bucket="kept-bucket", Key="k")["Body"].read() == b"kept"
