package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const tokenHeader = "X-Aws-Parameters-Secrets-Token"

// AWSServer answers as AWS's own Parameters and Secrets Lambda Extension does, on its port 2773.
//
// AWS: Systems Manager User Guide, "Using Parameter Store parameters in AWS Lambda functions"; Secrets Manager User
// Guide, "Use AWS Secrets Manager secrets in AWS Lambda functions". The status of a missing token is documented in
// neither; 401 is ours.
type AWSServer struct {
	sources  *Sources
	cache    *Cache
	settings AWSSettings
	region   string
	token    string
	ready    atomic.Bool
}

// NewAWSServer refuses requests until Ready; token is the session token of the environment's credentials.
func NewAWSServer(sources *Sources, cache *Cache, settings AWSSettings, region, token string) *AWSServer {
	return &AWSServer{sources: sources, cache: cache, settings: settings, region: region, token: token}
}

// Ready is said at the end of INIT.
func (server *AWSServer) Ready() {
	server.ready.Store(true)
}

// ServeHTTP answers with the JSON of GetParameter or GetSecretValue.
func (server *AWSServer) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	switch {
	case !server.ready.Load():
		http.Error(writer, "not ready to serve traffic, please wait", http.StatusBadRequest)
	case request.Method != http.MethodGet:
		http.Error(writer, "only GET is served", http.StatusMethodNotAllowed)
	case server.token == "" || request.Header.Get(tokenHeader) != server.token:
		http.Error(writer, "the header "+tokenHeader+" must be AWS_SESSION_TOKEN", http.StatusUnauthorized)
	case request.URL.Path == "/systemsmanager/parameters/get" || request.URL.Path == "/systemsmanager/parameters/get/":
		server.parameter(writer, request)
	case request.URL.Path == "/secretsmanager/get":
		server.secret(writer, request)
	default:
		http.NotFound(writer, request)
	}
}

func (server *AWSServer) parameter(writer http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	name := query.Get("name")
	if name == "" {
		http.Error(writer, "the query parameter name is missing", http.StatusBadRequest)
		return
	}
	decrypt := false
	if text := query.Get("withDecryption"); text != "" {
		var err error
		if decrypt, err = strconv.ParseBool(text); err != nil {
			http.Error(writer, "withDecryption must be true or false", http.StatusBadRequest)
			return
		}
	}
	switch {
	case query.Get("version") != "":
		name += ":" + query.Get("version")
	case query.Get("label") != "":
		name += ":" + query.Get("label")
	}
	server.answer(writer, request, server.settings.ParameterTTL, server.settings.ParameterWait,
		"parameter/"+strconv.FormatBool(decrypt)+"/"+name,
		func(ctx context.Context) (any, error) {
			return server.sources.GetParameter(ctx, server.region, name, decrypt)
		})
}

func (server *AWSServer) secret(writer http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	id := query.Get("secretId")
	if id == "" {
		http.Error(writer, "the query parameter secretId is missing", http.StatusBadRequest)
		return
	}
	input := &secretsmanager.GetSecretValueInput{SecretId: &id}
	if version := query.Get("versionId"); version != "" {
		input.VersionId = &version
	}
	if stage := query.Get("versionStage"); stage != "" {
		input.VersionStage = &stage
	}
	server.answer(writer, request, server.settings.SecretTTL, server.settings.SecretWait,
		"secret/"+id+"/"+query.Get("versionId")+"/"+query.Get("versionStage"),
		func(ctx context.Context) (any, error) {
			return server.sources.GetSecretValue(ctx, server.region, input)
		})
}

func (server *AWSServer) answer(
	writer http.ResponseWriter, request *http.Request, ttl, wait time.Duration, key string,
	call func(context.Context) (any, error),
) {
	fetch := func(ctx context.Context) ([]byte, error) {
		if wait > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, wait)
			defer cancel()
		}
		output, err := call(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(output)
	}
	if !server.settings.Enabled || server.settings.MaxItems == 0 {
		ttl = 0
	}
	value, err := server.cache.Get(request.Context(), key, Ages{TTL: ttl}, fetch)
	if err != nil {
		say("%s could not be read: %v", key, err)
		http.Error(writer, err.Error(), status(err))
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	_, _ = writer.Write(value)
}
