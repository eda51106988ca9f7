package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

const (
	nameHeader       = "Lambda-Extension-Name"
	identifierHeader = "Lambda-Extension-Identifier"
	errorTypeHeader  = "Lambda-Extension-Function-Error-Type"
)

// Lambda is the Extensions API of the execution environment.
// AWS: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions".
type Lambda struct {
	base       string
	client     http.Client // without a timeout: next waits as long as the environment is frozen
	identifier string
}

// Event is what next answers.
type Event struct {
	EventType      string `json:"eventType"`
	ShutdownReason string `json:"shutdownReason"`
}

// NewLambda speaks to AWS_LAMBDA_RUNTIME_API.
func NewLambda(address string) *Lambda {
	return &Lambda{base: "http://" + address + "/2020-01-01/extension"}
}

// Register registers for SHUTDOWN alone and gives the answer's body. Values are served on the loopback whatever phase it
// is: INVOKE would wake this process beside the function at each event, and hold its end until next is asked for.
func (lambda *Lambda) Register(ctx context.Context, name string) (string, error) {
	body := []byte(`{"events":["SHUTDOWN"]}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, lambda.base+"/register", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set(nameHeader, name)
	answer, content, err := lambda.do(request)
	if err != nil {
		return "", err
	}
	lambda.identifier = answer.Header.Get(identifierHeader)
	return string(content), nil
}

// Next waits for the next event.
func (lambda *Lambda) Next(ctx context.Context) (Event, error) {
	var event Event
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, lambda.base+"/event/next", nil)
	if err != nil {
		return event, err
	}
	_, content, err := lambda.do(request)
	if err != nil {
		return event, err
	}
	return event, json.Unmarshal(content, &event)
}

// InitError tells why the environment cannot be initialised.
func (lambda *Lambda) InitError(ctx context.Context, kind string, cause error) error {
	body, err := json.Marshal(map[string]any{
		"errorMessage": cause.Error(), "errorType": kind, "stackTrace": []string{},
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, lambda.base+"/init/error", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set(errorTypeHeader, kind)
	_, _, err = lambda.do(request)
	return err
}

func (lambda *Lambda) do(request *http.Request) (*http.Response, []byte, error) {
	if lambda.identifier != "" {
		request.Header.Set(identifierHeader, lambda.identifier)
	}
	answer, err := lambda.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s %s", request.Method, request.URL.Path, answer.Status, content)
	}
	return answer, content, err
}
