// The one program of the test images: a function that tells what is around it, and an extension when it lies in /opt.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

type request struct {
	Read  string
	Write string
	List  string
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func handler(r request) (map[string]interface{}, error) {
	cwd, _ := os.Getwd()
	found := map[string]interface{}{"args": os.Args, "env": os.Environ(), "cwd": cwd, "uid": os.Getuid()}
	if r.Read != "" {
		content, err := os.ReadFile(r.Read)
		found["read"], found["error"] = string(content), said(err)
	}
	if r.Write != "" {
		found["error"] = said(os.WriteFile(r.Write, []byte("x"), 0o600))
	}
	if r.List != "" {
		entries, err := os.ReadDir(r.List)
		names := []string{}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		found["names"], found["error"] = names, said(err)
	}
	return found, nil
}

func extension(name string) {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"
	body, _ := json.Marshal(map[string][]string{"events": {"INVOKE", "SHUTDOWN"}})
	register, _ := http.NewRequest("POST", api+"register", bytes.NewReader(body))
	register.Header.Set("Lambda-Extension-Name", name)
	answer, err := http.DefaultClient.Do(register)
	if err != nil {
		panic(err)
	}
	fmt.Println("extension", name, "registered")
	for {
		next, _ := http.NewRequest("GET", api+"event/next", nil)
		next.Header.Set("Lambda-Extension-Identifier", answer.Header.Get("Lambda-Extension-Identifier"))
		event, err := http.DefaultClient.Do(next)
		if err != nil {
			panic(err)
		}
		var told struct{ EventType string }
		_ = json.NewDecoder(event.Body).Decode(&told)
		if told.EventType == "SHUTDOWN" {
			return
		}
	}
}

func main() {
	if strings.HasPrefix(os.Args[0], "/opt/extensions/") {
		extension(filepath.Base(os.Args[0]))
		return
	}
	lambda.Start(handler)
}
