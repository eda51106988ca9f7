package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// service answers by x-amz-target and counts the requests of each.
type service struct {
	mutex   sync.Mutex
	counts  map[string]int
	regions map[string]bool
	answers map[string]string
	bodies  []string
	slow    time.Duration
}

func (fake *service) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	_, target, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	scope := strings.Split(request.Header.Get("Authorization"), "/")
	body, _ := io.ReadAll(request.Body)
	select {
	case <-time.After(fake.slow):
	case <-request.Context().Done():
	}
	fake.mutex.Lock()
	defer fake.mutex.Unlock()
	fake.counts[target]++
	fake.bodies = append(fake.bodies, string(body))
	if len(scope) > 2 {
		fake.regions[scope[2]] = true
	}
	writer.Header().Set("Content-Type", "application/x-amz-json-1.1")
	answer, found := fake.answers[target]
	if !found {
		writer.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(writer, `{"__type":"ParameterNotFound","message":"no such thing"}`)
		return
	}
	_, _ = io.WriteString(writer, answer)
}

func started(t *testing.T, answers map[string]string) (*service, *Sources) {
	t.Helper()
	fake := &service{counts: map[string]int{}, regions: map[string]bool{}, answers: answers}
	listening := httptest.NewServer(fake)
	t.Cleanup(listening.Close)
	return fake, NewSources(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(listening.URL),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "token"),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	})
}

var sample = Config{
	Parameters: []Group{{Region: "us-west-2", Names: []string{"p1"}}},
	Secrets:    []Group{{Region: "eu-west-1", Names: []string{"s1"}}},
	Items: []Item{{
		Region: "us-west-2", Table: "T", HashKey: "pKey", HashKeyType: "S", HashKeyValue: "a",
		SortKey: "sKey", SortKeyType: "N", SortKeyValue: "7",
	}},
}

var answers = map[string]string{
	"GetParameter":   `{"Parameter":{"Name":"p1","Value":"Parameter_value","Type":"String","Version":1}}`,
	"GetSecretValue": `{"Name":"s1","SecretString":"Hello World","VersionStages":["AWSCURRENT"]}`,
	"GetItem":        `{"Item":{"pKey":{"S":"a"},"sKey":{"N":"7"},"Data":{"S":"Sample Data"},"n":{"N":"12345678901234567890.5"}}}`,
}

func ask(t *testing.T, handler http.Handler, path, token string) (int, string) {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	if token != "" {
		request.Header.Set("X-Aws-Parameters-Secrets-Token", token)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.String()
}

func TestEachKindAnswersWithItsValue(t *testing.T) {
	fake, sources := started(t, answers)
	server := NewServer(sample, Settings{TTL: time.Hour}, sources, NewCache(Limits{}, time.Now))
	for path, want := range map[string]string{
		"/parameters?name=p1":    "Parameter_value",
		"/secrets?name=s1":       "Hello World",
		"/dynamodb?name=T-a-7":   `{"Data":"Sample Data","n":12345678901234567890.5,"pKey":"a","sKey":7}`,
		"/parameters?name=other": "No data found",
		"/unknown?name=p1":       "No data found",
	} {
		for range 2 {
			if code, body := ask(t, server, path, ""); code != http.StatusOK || body != want {
				t.Errorf("%s gives %d %q, not %q", path, code, body, want)
			}
		}
	}
	if fake.counts["GetParameter"] != 1 || fake.counts["GetSecretValue"] != 1 || fake.counts["GetItem"] != 1 {
		t.Errorf("requests: %v", fake.counts)
	}
	if !fake.regions["us-west-2"] || !fake.regions["eu-west-1"] || fake.regions["us-east-1"] {
		t.Errorf("regions: %v", fake.regions)
	}
}

func TestANameIsNeeded(t *testing.T) {
	_, sources := started(t, answers)
	server := NewServer(sample, Settings{}, sources, NewCache(Limits{}, time.Now))
	if code, _ := ask(t, server, "/parameters", ""); code != http.StatusNotFound {
		t.Errorf("the status is %d", code)
	}
}

func TestLoadingReadsEverythingOnce(t *testing.T) {
	fake, sources := started(t, answers)
	cache := NewCache(Limits{}, time.Now)
	server := NewServer(sample, Settings{TTL: time.Hour}, sources, cache)
	if err := server.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	ask(t, server, "/parameters?name=p1", "")
	if fake.counts["GetParameter"] != 1 {
		t.Errorf("requests: %v", fake.counts)
	}
	code, body := ask(t, server, "/metrics", "")
	var metrics Metrics
	if err := json.Unmarshal([]byte(body), &metrics); err != nil || code != http.StatusOK {
		t.Fatal(code, body, err)
	}
	if metrics.Hits != 1 || metrics.Fetches != 3 || metrics.Items != 3 {
		t.Errorf("metrics are %+v", metrics)
	}
}

func TestAServicesRefusalIsTold(t *testing.T) {
	_, sources := started(t, nil)
	server := NewServer(sample, Settings{}, sources, NewCache(Limits{}, time.Now))
	code, body := ask(t, server, "/parameters?name=p1", "")
	if code != http.StatusBadGateway || !strings.Contains(body, "ParameterNotFound") {
		t.Errorf("the answer is %d %q", code, body)
	}
}

func awsServer(sources *Sources, settings AWSSettings) *AWSServer {
	server := NewAWSServer(sources, NewCache(Limits{Items: 1000}, time.Now), settings, "us-east-1", "token")
	server.Ready()
	return server
}

func TestAWSsInterfaceAnswersWithTheOperationsOutput(t *testing.T) {
	fake, sources := started(t, answers)
	server := awsServer(sources, AWSSettings{
		Enabled: true, MaxItems: 1000, ParameterTTL: time.Hour, SecretTTL: time.Hour,
	})
	for range 3 {
		code, body := ask(t, server, "/systemsmanager/parameters/get/?name=p1&withDecryption=true", "token")
		var parameter struct {
			Parameter      struct{ Name, Value, Type string }
			ResultMetadata map[string]any
		}
		if err := json.Unmarshal([]byte(body), &parameter); err != nil || code != http.StatusOK {
			t.Fatal(code, body, err)
		}
		if parameter.Parameter.Value != "Parameter_value" || parameter.ResultMetadata == nil {
			t.Errorf("the parameter is %s", body)
		}
		code, body = ask(t, server, "/secretsmanager/get?secretId=s1", "token")
		if code != http.StatusOK || !strings.Contains(body, `"SecretString":"Hello World"`) {
			t.Errorf("the secret is %d %s", code, body)
		}
	}
	if fake.counts["GetParameter"] != 1 || fake.counts["GetSecretValue"] != 1 {
		t.Errorf("requests: %v", fake.counts)
	}
}

func TestAWSsInterfaceWantsTheSessionToken(t *testing.T) {
	_, sources := started(t, answers)
	server := awsServer(sources, AWSSettings{Enabled: true, MaxItems: 1})
	for _, token := range []string{"", "wrong"} {
		if code, _ := ask(t, server, "/secretsmanager/get?secretId=s1", token); code != http.StatusUnauthorized {
			t.Errorf("with the token %q the status is %d", token, code)
		}
	}
}

func TestEachVersionStageAndFormIsAValueOfItsOwn(t *testing.T) {
	fake, sources := started(t, answers)
	server := awsServer(sources, AWSSettings{
		Enabled: true, MaxItems: 1000, ParameterTTL: time.Hour, SecretTTL: time.Hour,
	})
	paths := map[string]string{
		"/systemsmanager/parameters/get?name=p1":                       `"WithDecryption":false`,
		"/systemsmanager/parameters/get?name=p1&withDecryption=true":   `"WithDecryption":true`,
		"/systemsmanager/parameters/get?name=p1&version=2":             `"Name":"p1:2"`,
		"/systemsmanager/parameters/get?name=p1&label=l":               `"Name":"p1:l"`,
		"/secretsmanager/get?secretId=s1":                              `{"SecretId":"s1"}`,
		"/secretsmanager/get?secretId=s1&versionId=v1":                 `"VersionId":"v1"`,
		"/secretsmanager/get?secretId=s1&versionStage=AWSPREVIOUS":     `"VersionStage":"AWSPREVIOUS"`,
		"/secretsmanager/get?secretId=s1&versionId=v&versionStage=own": `"VersionId":"v","VersionStage":"own"`,
	}
	for path, want := range paths {
		for range 2 {
			before := len(fake.bodies)
			if code, body := ask(t, server, path, "token"); code != http.StatusOK {
				t.Fatal(path, code, body)
			}
			if len(fake.bodies) == before {
				continue
			}
			if body := fake.bodies[before]; !strings.Contains(body, want) {
				t.Errorf("%s asks %s, not %s", path, body, want)
			}
		}
	}
	if len(fake.bodies) != len(paths) {
		t.Errorf("%d values are %d requests", len(paths), len(fake.bodies))
	}
}

func TestWithoutATokenNobodyIsLetIn(t *testing.T) {
	_, sources := started(t, answers)
	server := NewAWSServer(sources, NewCache(Limits{}, time.Now), AWSSettings{}, "us-east-1", "")
	server.Ready()
	if code, _ := ask(t, server, "/secretsmanager/get?secretId=s1", ""); code != http.StatusUnauthorized {
		t.Errorf("the status is %d", code)
	}
}

func TestAServiceIsWaitedForNoLongerThanSaid(t *testing.T) {
	fake, sources := started(t, answers)
	fake.slow = 3 * time.Second
	server := awsServer(sources, AWSSettings{
		Enabled: true, MaxItems: 1, SecretWait: time.Millisecond, ParameterWait: time.Millisecond,
	})
	for _, path := range []string{"/secretsmanager/get?secretId=s1", "/systemsmanager/parameters/get?name=p1"} {
		if code, body := ask(t, server, path, "token"); code != http.StatusInternalServerError || !strings.Contains(body, "deadline") {
			t.Errorf("%s gives %d %q", path, code, body)
		}
	}
}

func TestAWSsInterfaceWaitsForTheEndOfInit(t *testing.T) {
	_, sources := started(t, answers)
	server := NewAWSServer(sources, NewCache(Limits{}, time.Now), AWSSettings{}, "us-east-1", "token")
	code, body := ask(t, server, "/secretsmanager/get?secretId=s1", "token")
	if code != http.StatusBadRequest || !strings.HasPrefix(body, "not ready to serve traffic, please wait") {
		t.Errorf("the answer is %d %q", code, body)
	}
}

func TestACacheThatIsOffReadsEachTime(t *testing.T) {
	fake, sources := started(t, answers)
	server := awsServer(sources, AWSSettings{Enabled: false, MaxItems: 1000, SecretTTL: time.Hour})
	for range 3 {
		ask(t, server, "/secretsmanager/get?secretId=s1", "token")
	}
	if fake.counts["GetSecretValue"] != 3 {
		t.Errorf("requests: %v", fake.counts)
	}
}

func TestAServicesStatusPassesThrough(t *testing.T) {
	_, sources := started(t, nil)
	server := awsServer(sources, AWSSettings{Enabled: true, MaxItems: 1000})
	code, body := ask(t, server, "/systemsmanager/parameters/get?name=p1", "token")
	if code != http.StatusBadRequest || !strings.Contains(body, "ParameterNotFound") {
		t.Errorf("the answer is %d %q", code, body)
	}
}
