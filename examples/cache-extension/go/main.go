// Reads a secret: with the SDK, or from the cache extension on the environment's loopback; or nothing.
//
// WAY=sdk makes a session and a client at each read, as AWS's own sample code for Go does; WAY=sdk-kept makes them once.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/secretsmanager"
)

const secret = "secret_info"

func client() *secretsmanager.SecretsManager {
	return secretsmanager.New(session.Must(session.NewSession()))
}

func ask(client *secretsmanager.SecretsManager) (string, error) {
	found, err := client.GetSecretValue(&secretsmanager.GetSecretValueInput{SecretId: aws.String(secret)})
	if err != nil {
		return "", err
	}
	return *found.SecretString, nil
}

func askCache() (string, error) {
	answer, err := http.Get("http://localhost:4000/secrets?name=" + secret)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	value, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, value)
	}
	return string(value), err
}

func main() {
	switch os.Getenv("WAY") {
	case "sdk":
		lambda.Start(func() (string, error) { return ask(client()) })
	case "sdk-kept":
		kept := client()
		lambda.Start(func() (string, error) { return ask(kept) })
	case "cache":
		lambda.Start(askCache)
	default:
		lambda.Start(func() (string, error) { return "", nil })
	}
}
