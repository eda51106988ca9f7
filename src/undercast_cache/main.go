// Command undercast-cache is a Lambda extension that keeps parameters, secrets and DynamoDB items in memory.
//
// It runs in any Lambda execution environment, on AWS as well as on Undercast: the layer's folder extensions/ holds this
// one static binary. README.md describes configuration and endpoints.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
)

// configPath is fixed: Lambda keeps LAMBDA_TASK_ROOT from extensions.
const configPath = "/var/task/config.yaml"

// problem is a reason not to start; kind is the errorType that the function's callers see.
type problem struct {
	kind  string
	cause error
}

func (found *problem) Error() string { return found.cause.Error() }

// name is the extension's: that of its file, as Lambda wants it.
func name() string { return filepath.Base(os.Args[0]) }

func say(format string, arguments ...any) {
	fmt.Printf("[%s]  %s\n", name(), fmt.Sprintf(format, arguments...))
}

// status is that of a service's error, 500 where there was no answer.
func status(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) && answer.HTTPStatusCode() >= http.StatusBadRequest { // 0: none came in time
		return answer.HTTPStatusCode()
	}
	return http.StatusInternalServerError
}

func main() {
	ctx := context.Background()
	lambda := NewLambda(os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	answer, err := lambda.Register(ctx, name())
	if err != nil {
		say("cannot register: %v", err)
		os.Exit(1)
	}
	say("Register response: %s", answer)
	if found := start(ctx); found != nil {
		say("%v", found)
		if err := lambda.InitError(ctx, found.kind, found); err != nil {
			say("cannot report it: %v", err)
		}
		os.Exit(1)
	}
	if err := follow(ctx, lambda); err != nil {
		say("%v", err)
		os.Exit(1)
	}
}

// start reads settings and values and begins to serve.
func start(ctx context.Context) *problem {
	settings, awsSettings, err := ReadSettings(os.Getenv)
	if err != nil {
		return &problem{kind: "Extension.InvalidSetting", cause: err}
	}
	region := os.Getenv("AWS_REGION")
	values, err := ReadConfig(configPath, region)
	if err != nil {
		return &problem{kind: "Extension.InvalidConfig", cause: err}
	}
	base, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return &problem{kind: "Extension.InvalidSetting", cause: err}
	}
	sources := NewSources(base)
	server := NewServer(values, settings, sources, NewCache(Limits{Bytes: settings.MaxBytes}, time.Now))
	awsServer := NewAWSServer(sources, NewCache(Limits{Items: awsSettings.MaxItems}, time.Now), awsSettings, region,
		os.Getenv("AWS_SESSION_TOKEN"))
	if err := serve(awsSettings.Port, awsServer); err != nil {
		return &problem{kind: "Extension.CannotListen", cause: err}
	}
	if settings.LoadAtInit {
		if err := server.Load(ctx); err != nil {
			say("%v", err)
		} else {
			say("Cache successfully loaded")
		}
	}
	say("Starting Httpserver on port  %s", settings.Port)
	if err := serve(settings.Port, server); err != nil {
		return &problem{kind: "Extension.CannotListen", cause: err}
	}
	awsServer.Ready()
	return nil
}

// serve listens before it returns, so that no request comes too early.
func serve(port string, handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	go func() {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
		say("%v", server.Serve(listener))
	}()
	return nil
}

// follow asks for events until SHUTDOWN.
func follow(ctx context.Context, lambda *Lambda) error {
	for {
		say("Waiting for event...")
		event, err := lambda.Next(ctx)
		if err != nil {
			return err
		}
		if event.EventType == "SHUTDOWN" {
			say("Received SHUTDOWN event")
			say("Exiting")
			return nil
		}
	}
}
