// A function that wants to be told of its end: aws-lambda-go registers an internal extension for it.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	handler := func(_ context.Context, event json.RawMessage) (json.RawMessage, error) { return event, nil }
	lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(func() { fmt.Println("farewell") }))
}
