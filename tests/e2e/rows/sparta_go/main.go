// What Sparta's Node.js proxy spawns: an HTTP server on port 9999 that gets {event, context} and answers with the result.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

var calls int

func main() {
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Event   map[string]interface{}
			Context map[string]interface{}
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		calls++
		fmt.Println("called", calls)
		if request.Event["die"] == true {
			fmt.Fprintln(os.Stderr, "panic: in the Go program")
			os.Exit(2)
		}
		json.NewEncoder(w).Encode(map[string]interface{}{
			"text": "Hello World!", "pid": os.Getpid(), "calls": calls, "id": request.Context["awsRequestId"],
		})
	})
	if err := http.ListenAndServe("localhost:9999", nil); err != nil {
		panic(err)
	}
}
