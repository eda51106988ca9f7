// Reads an event, decodes it with the type of aws-lambda-go that the argument names and writes it again.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/events"
)

var types = map[string]any{
	"S3Event":                           &events.S3Event{},
	"SNSEvent":                          &events.SNSEvent{},
	"SQSEvent":                          &events.SQSEvent{},
	"DynamoDBEvent":                     &events.DynamoDBEvent{},
	"DynamoDBTimeWindowEvent":           &events.DynamoDBTimeWindowEvent{},
	"KinesisEvent":                      &events.KinesisEvent{},
	"KinesisTimeWindowEvent":            &events.KinesisTimeWindowEvent{},
	"EventBridgeEvent":                  &events.EventBridgeEvent{},
	"CloudwatchLogsEvent":               &events.CloudwatchLogsEvent{},
	"CloudwatchLogsData":                &events.CloudwatchLogsData{},
	"CloudWatchAlarmSNSPayload":         &events.CloudWatchAlarmSNSPayload{},
	"SecretsManagerSecretRotationEvent": &events.SecretsManagerSecretRotationEvent{},
}

func main() {
	event, known := types[os.Args[1]]
	if !known {
		log.Fatal("no type ", os.Args[1])
	}
	if err := json.NewDecoder(os.Stdin).Decode(event); err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(event); err != nil {
		log.Fatal(err)
	}
}
