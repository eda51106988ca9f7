// Asks STS who it is, once during INIT and once for each event, with nothing but the SDK's defaults.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

type answer struct {
	AtInit, Now, Endpoint string
}

var (
	client = sts.New(session.Must(session.NewSession()))
	atInit = identity()
)

func identity() string {
	caller, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
	if err != nil {
		return err.Error()
	}
	return *caller.Arn
}

func main() {
	lambda.Start(func() (answer, error) {
		return answer{atInit, identity(), client.Endpoint}, nil
	})
}
