# What runs as /var/runtime/bootstrap.rb: the runtime client of Ruby functions, in one file of the standard library.
#
# Ruby 2.7 upwards reads it. Handlers, errors, context, exit codes and log records are those of AWS's aws_lambda_ric.
# AWS: Lambda Developer Guide, "Building Lambda functions with Ruby", "Using the Lambda runtime API".

# frozen_string_literal: true

require 'json'
require 'logger'
require 'socket'
require 'stringio'

$stdout.sync = true

module Undercast
  # One kept connection to the Runtime API. No timeout: `next` waits for hours.
  class Api
    PREFIX = '/2018-06-01/runtime/'

    def initialize(address)
      @address = address
      @host, port = address.split(':')
      @port = port.to_i
    end

    # The event's headers by lower-case name, and its body.
    def next
      request('GET', 'invocation/next', nil, {})
    end

    def post(path, body, headers)
      request('POST', path, body, headers)
    end

    private

    def request(method, path, body, headers)
      lines = ["#{method} #{PREFIX}#{path} HTTP/1.1", "Host: #{@address}", "User-Agent: undercast-ruby/#{RUBY_VERSION}"]
      headers.each { |name, value| lines << "#{name}: #{value.to_s.gsub(/[\r\n]+/, ' ')}" }
      lines << "Content-Length: #{body.bytesize}" if body
      @socket ||= TCPSocket.new(@host, @port).tap { |socket| socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1) }
      @socket.write("#{lines.join("\r\n")}\r\n\r\n".b + (body || '').b)
      read_answer
    end

    def read_answer
      @socket.gets("\r\n") || raise(EOFError, 'the Runtime API closed the connection')
      headers = {}
      while (line = @socket.gets("\r\n").to_s.chomp("\r\n")) != ''
        name, value = line.split(':', 2)
        headers[name.downcase] = value.to_s.strip.force_encoding('UTF-8')
      end
      [headers, @socket.read(headers['content-length'].to_i).to_s.force_encoding('UTF-8')]
    end
  end

  # Records as frames on the telemetry descriptor: type, length, time stamp in microseconds, message.
  class LogSink < Logger::LogDevice
    def initialize(file) # rubocop:disable Lint/MissingSuper
      @file = file
    end

    def write(message)
      return $stdout.write(message) if @file.nil? || @file.closed?

      data = message.to_s.b
      @file.write([0xa55a0003, data.bytesize, (Time.now.to_f * 1_000_000).to_i].pack('L>L>Q>') + data)
    end

    def reopen(_log = nil); end

    def close; end
  end

  # Logger's records in the text format of Lambda, with the request's id.
  class TextFormatter < Logger::Formatter
    def call(severity, time, progname, message)
      head = format('%s, [%s #%d] %5s', severity[0..0], format_datetime(time), $$, severity)
      text = "#{head} #{$_global_aws_request_id} -- #{progname}: #{msg2str(message)}"
      "#{text.encode('UTF-8', invalid: :replace, undef: :replace)}\n"
    end
  end

  # Logger's records as JSON objects, under AWS_LAMBDA_LOG_FORMAT=JSON.
  class JsonFormatter < Logger::Formatter
    def call(severity, time, progname, message)
      record = { timestamp: time.utc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ'), level: severity }
      record[:message] = message.is_a?(Exception) ? message.message : msg2str(message)
      record[:requestId] = $_global_aws_request_id
      record[:logger] = progname unless progname.to_s.empty?
      if message.is_a?(Exception)
        record.update(errorType: message.class.to_s, errorMessage: message.message, stackTrace: message.backtrace.to_a)
      end
      "#{JSON.generate(record.compact)}\n"
    end
  end

  # Loggers that write to the standard streams write records.
  module LoggerPatch
    def initialize(device, *arguments, **options)
      standard = device.nil? || device == $stdout || device == $stderr
      super(standard ? Undercast.sink : device, *arguments, **options)
      @default_formatter = (Undercast.json? ? JsonFormatter : TextFormatter).new if standard
    end
  end

  # The `context` of a handler.
  class Context
    attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
                :memory_limit_in_mb, :function_version, :identity, :client_context, :deadline_ms

    def initialize(headers)
      @deadline_ms = headers['lambda-runtime-deadline-ms'].to_i
      @aws_request_id = headers['lambda-runtime-aws-request-id']
      @invoked_function_arn = headers['lambda-runtime-invoked-function-arn']
      @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
      @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
      @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
      @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
      @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
      identity, client = headers.values_at('lambda-runtime-cognito-identity', 'lambda-runtime-client-context')
      @identity = JSON.parse(identity) if identity
      @client_context = JSON.parse(client) if client
    end

    def get_remaining_time_in_millis
      [@deadline_ms - (Time.now.to_f * 1000).to_i, 0].max
    end
  end

  # What is reported of an exception: of the handler ("Function") or of the file that has it ("Init").
  class Report
    NAMED = %w[ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit SystemStackError].freeze

    attr_reader :body

    def initialize(error, classification)
      @type = "#{classification}<#{error.class}>"
      trace = (error.backtrace_locations || []).first(100).map(&:to_s).take_while { |line| !line.start_with?('lib') }
      ours = trace.index { |line| line.start_with?(__FILE__) }
      trace = trace.first(ours) if ours
      @body = { errorMessage: error.message, errorType: @type, stackTrace: trace }
      @named = NAMED.include?(error.class.to_s)
    end

    def headers
      { 'Content-Type' => 'application/json', 'Lambda-Runtime-Function-Error-Type' => header_type }
    end

    def log(message)
      puts message
      puts JSON.pretty_generate(@body)
    end

    private

    def header_type
      @named ? @type : 'Function<UserException>'
    end
  end

  # FILE.METHOD or FILE.CLASS.METHOD.
  class Handler
    attr_reader :file

    def initialize(name)
      parts = name.split('.')
      unless [2, 3].include?(parts.size)
        raise ArgumentError, "Invalid handler #{parts}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where " \
                             'FILENAME corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional ' \
                             'module/class namespace and METHOD is a callable method. If using CLASS, METHOD must be a ' \
                             'class-level method.'
      end
      @file, *@owner, @method = parts
    end

    def call(event, context)
      receiver = @owner.empty? ? self : Kernel.const_get(@owner.first)
      receiver.__send__(@method, event: event, context: context)
    end
  end

  class << self
    attr_accessor :sink

    def json?
      ENV['AWS_LAMBDA_LOG_FORMAT'].to_s.upcase == 'JSON'
    end

    # Write records instead of lines, where the platform takes them.
    def open_log
      number = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD')
      self.sink = LogSink.new(number && IO.for_fd(number.to_i, 'wb').tap { |file| file.sync = true })
      Logger.prepend(LoggerPatch)
      return unless number

      Kernel.module_eval do
        def puts(*values)
          lines = values.flatten.map { |value| value.to_s.encode('UTF-8', invalid: :replace, undef: :replace) }
          Undercast.sink.write(lines.join("\n"))
        end
      end
    end

    # Load the function and run it until the process ends.
    def run(root, name)
      open_log
      api = Api.new(ENV['AWS_LAMBDA_RUNTIME_API'])
      $LOAD_PATH.unshift(root) unless $LOAD_PATH.include?(root)
      handler = load_handler(api, name)
      loop { invoke(api, handler, *api.next) }
    end

    private

    def load_handler(api, name)
      handler = Handler.new(name)
      require handler.file
      handler
    rescue Exception => e # also what is no StandardError: LoadError, SyntaxError, SystemExit
      report = Report.new(e, 'Init')
      report.log("Init error when loading handler #{name}")
      api.post('init/error', JSON.generate(report.body), report.headers)
      exit!(252) # -4
    end

    def invoke(api, handler, headers, body)
      id = $_global_aws_request_id = headers['lambda-runtime-aws-request-id']
      trace = headers['lambda-runtime-trace-id']
      ENV['_X_AMZN_TRACE_ID'] = trace if trace
      answer, type = marshalled(handler.call(JSON.parse(body), Context.new(headers)))
    rescue NameError => e # NoMethodError, too: AWS gives up the process
      failed(api, id, e, critical: true)
    rescue StandardError => e
      failed(api, id, e, critical: false)
    rescue Exception => e # SystemExit, SystemStackError, NoMemoryError
      failed(api, id, e, critical: true)
    else
      api.post("invocation/#{id}/response", answer, { 'Content-Type' => type })
    end

    def marshalled(value)
      return [value.read, 'application/unknown'] if value.is_a?(StringIO) || value.is_a?(IO)

      [value.to_json, 'application/json']
    end

    def failed(api, id, error, critical:)
      report = Report.new(error, 'Function')
      report.log(critical ? 'Critical exception from handler' : 'Error raised from handler method')
      api.post("invocation/#{id}/error", JSON.generate(report.body), report.headers)
      exit!(255) if critical
    end
  end
end

Undercast.run(ENV['LAMBDA_TASK_ROOT'], ENV['_HANDLER'])
