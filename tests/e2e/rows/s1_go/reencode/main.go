// Reads an S3 event, decodes it with the type of aws-lambda-go and writes it again.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/events"
)

func main() {
	var event events.S3Event
	if err := json.NewDecoder(os.Stdin).Decode(&event); err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(event); err != nil {
		log.Fatal(err)
	}
}
