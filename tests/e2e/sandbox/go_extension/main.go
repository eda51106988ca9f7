// An external extension without dependencies: registers, prints each event to stderr, ends at SHUTDOWN.
package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

type event struct {
	EventType      string `json:"eventType"`
	RequestID      string `json:"requestId"`
	ShutdownReason string `json:"shutdownReason"`
}

func main() {
	name := filepath.Base(os.Args[0])
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"
	request, _ := http.NewRequest("POST", base+"register", strings.NewReader(`{"events":["INVOKE","SHUTDOWN"]}`))
	request.Header.Set("Lambda-Extension-Name", name)
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != 200 {
		panic("register failed")
	}
	identifier := answer.Header.Get("Lambda-Extension-Identifier")
	answer.Body.Close()
	for {
		println("[" + name + "] Waiting for event...")
		request, _ = http.NewRequest("GET", base+"event/next", nil)
		request.Header.Set("Lambda-Extension-Identifier", identifier)
		answer, err = http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		var received event
		if err := json.NewDecoder(answer.Body).Decode(&received); err != nil {
			panic(err)
		}
		answer.Body.Close()
		if received.EventType == "SHUTDOWN" {
			println("[" + name + "] Received SHUTDOWN event: " + received.ShutdownReason)
			println("[" + name + "] Exiting")
			return
		}
		println("[" + name + "] " + received.EventType + " " + received.RequestID)
	}
}
