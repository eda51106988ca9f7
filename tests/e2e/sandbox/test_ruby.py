"""Ruby functions in real sandboxes, on whatever Ruby this machine has."""

import os
from pathlib import Path

import pytest

from tests.e2e.sandbox.conftest import Stage
from tests.e2e.sandbox.node import write_code
from tests.fakes_sandbox import a_function
from tests.machine import without
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.programs import ProgramLookup

RUNTIMES = {(3, 4): "ruby3.4", (3, 3): "ruby3.3", (3, 2): "ruby3.2"}
SOURCE = """
require 'json'
require 'logger'
require 'stringio'

class Odd < StandardError; end

def inner(event)
  raise Odd, "inner trouble: #{event['why']}"
end

def handler(event:, context:)
  case event['do']
  when 'raise' then inner(event)
  when 'absent' then absent_method
  when 'exit' then exit 3
  when 'deep' then handler(event: event, context: context)
  when 'raw' then StringIO.new('<raw>')
  when 'log'
    puts 'put', 'twice'
    print "printed\\n"
    Logger.new($stdout).info("two\\nlines")
    nil
  else
    { event: event, id: context.aws_request_id, arn: context.invoked_function_arn, name: context.function_name,
      left: context.get_remaining_time_in_millis, memory: context.memory_limit_in_mb,
      count: ($count = $count.to_i + 1) }
  end
end

module Deep
  class Inner
    def self.handler(event:, context:)
      'of a class'
    end
  end
end
"""


def function(stage: Stage, source: str = SOURCE, **changes: object) -> FunctionVersion:
    """A function for this machine's Ruby."""
    stage.serial += 1
    lookup = ProgramLookup(tuple(os.environ["PATH"].split(os.pathsep)), Path.home())
    supported = next((name for version, name in RUNTIMES.items() if lookup.find("ruby", version)), "")
    if not supported and not any(lookup.find("ruby", version) for version in ((2, 7), (3, 0), (3, 1))):
        without("ruby", "no Ruby from 2.7 to 3.4")
    code = write_code(stage.folder / f"ruby{stage.serial}", {"app.rb": source})
    settings = {"handler": "app.handler", "timeout_s": 10, "runtime": supported or "ruby2.7", **changes}
    return a_function(name=f"r{stage.serial}", code_dir=code, **settings)


async def test_events_results_and_context(stage: Stage) -> None:
    """Keyword arguments, JSON both ways, the same process for the next invocation, a result that is no JSON."""
    made = function(stage)
    first = await stage.value(made, '{"a": "ü"}'.encode())
    assert first["event"] == {"a": "ü"}
    assert (first["arn"], first["name"], first["memory"], first["count"]) == (made.arn, made.name, "128", 1)
    assert 0 < first["left"] <= 10_000
    assert (await stage.value(made))["count"] == 2
    assert (await stage.invoke(made, b'{"do": "raw"}')).payload == b"<raw>"


async def test_errors_keep_the_process_or_end_it(stage: Stage) -> None:
    """A StandardError is answered; a NameError, an exit and a full stack end the process behind the answer.

    AWS: aws_lambda_ric's critical exceptions.
    """
    made = function(stage)
    error = await stage.error(made, b'{"do": "raise", "why": "it must"}')
    assert (error["errorType"], error["errorMessage"]) == ("Function<Odd>", "inner trouble: it must")
    assert "/app.rb:9:in " in error["stackTrace"][0]
    assert all("bootstrap.rb" not in frame for frame in error["stackTrace"])
    assert (await stage.value(made))["count"] == 1
    for do, kind in (("absent", "NameError"), ("exit", "SystemExit"), ("deep", "SystemStackError")):
        # Of its own: the next invocation may find a second environment. A new process starts inside the invocation, at
        # the function's share of a processor.
        made = function(stage, timeout_s=60)
        assert (await stage.value(made))["count"] == 1
        error = await stage.error(made, b'{"do": "%s"}' % do.encode())
        assert error["errorType"] == f"Function<{kind}>"
        assert (await stage.value(made))["count"] == 1
    assert "Error raised from handler method" in "".join(stage.log.messages)


async def test_records_of_puts_and_logger(stage: Stage) -> None:
    """One event each, several lines or not; Logger's carry the request's id."""
    await stage.invoke(function(stage), b'{"do": "log"}')
    assert "put\ntwice" in stage.log.messages
    assert "printed\n" in stage.log.messages
    record = next(line for line in stage.log.messages if "two" in line)
    assert record.startswith("I, [")
    assert record.endswith(" INFO 00000000-0000-4000-8000-000000000002 -- : two\nlines\n")


@pytest.mark.parametrize(
    ("handler", "source", "kind", "told"),
    [
        ("app.handler", "require 'absent_gem'", "Init<LoadError>", "absent_gem"),
        ("app.handler", "def handler(", "Init<SyntaxError>", "app.rb"),
        ("app.handler", "raise 'at load'", "Init<RuntimeError>", "at load"),
        ("nodot", "", "Init<ArgumentError>", "must be of form FILENAME.METHOD"),
        ("app.absent", "", "Function<NoMethodError>", "absent"),
    ],
)
async def test_what_cannot_be_loaded(stage: Stage, handler: str, source: str, kind: str, told: str) -> None:
    """Errors of INIT, by type and text."""
    error = await stage.error(function(stage, source, handler=handler))
    assert error["errorType"] == kind
    assert told in error["errorMessage"]


async def test_a_method_of_a_class(stage: Stage) -> None:
    """FILE.CLASS.METHOD."""
    assert await stage.value(function(stage, handler="app.Deep::Inner.handler")) == "of a class"


async def test_gems_of_layers_and_of_the_function(stage: Stage) -> None:
    """RUBYLIB has /opt/ruby/lib; the function's own files are found by their names."""
    layer = write_code(stage.folder / "layer", {"ruby/lib/shared.rb": "SHARED = 'of the layer'"})
    source = "require 'shared'\ndef handler(event:, context:) SHARED end"
    assert await stage.value(function(stage, source, layers=(layer,))) == "of the layer"


async def test_json_records(stage: Stage) -> None:
    """AWS_LAMBDA_LOG_FORMAT=JSON."""
    made = function(stage, environment={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
    await stage.invoke(made, b'{"do": "log"}')
    assert any('"level":"INFO","message":"two\\nlines","requestId":"0000' in line for line in stage.log.messages)
