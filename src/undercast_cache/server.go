package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
)

const noData = "No data found"

// known is one value that config.yaml names.
type known struct {
	key   string
	fetch Fetch
}

// Server answers GET /<parameters|dynamodb|secrets>?name= with the values that config.yaml names.
type Server struct {
	cache *Cache
	ages  Ages
	known map[string]map[string]known
}

// NewServer knows the values of a config; it reads none of them.
func NewServer(config Config, settings Settings, sources *Sources, cache *Cache) *Server {
	server := &Server{
		cache: cache,
		ages:  Ages{TTL: settings.TTL, Stale: settings.StaleWhileRevalidate},
		known: map[string]map[string]known{"parameters": {}, "dynamodb": {}, "secrets": {}},
	}
	for _, group := range config.Parameters {
		for _, name := range group.Names {
			server.add("parameters", name, sources.Parameter(group.Region, name))
		}
	}
	for _, group := range config.Secrets {
		for _, name := range group.Names {
			server.add("secrets", name, sources.Secret(group.Region, name))
		}
	}
	for _, item := range config.Items {
		server.add("dynamodb", item.Name(), sources.Item(item))
	}
	return server
}

func (server *Server) add(kind, name string, fetch Fetch) {
	server.known[kind][name] = known{key: kind + "/" + name, fetch: fetch}
}

// Load reads every value. What fails is told, and read again when somebody asks for it.
func (server *Server) Load(ctx context.Context) error {
	var wait sync.WaitGroup
	var mutex sync.Mutex
	var problems []error
	for _, kind := range server.known {
		for _, one := range kind {
			wait.Add(1)
			go func() {
				defer wait.Done()
				if err := server.cache.Load(ctx, one.key, one.fetch); err != nil {
					mutex.Lock()
					problems = append(problems, err)
					mutex.Unlock()
				}
			}()
		}
	}
	wait.Wait()
	return errors.Join(problems...)
}

// ServeHTTP answers 200 with the value or "No data found", 404 without a name, 502 where the service refuses.
func (server *Server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	kind := strings.TrimPrefix(request.URL.Path, "/")
	if request.Method != http.MethodGet {
		http.Error(writer, "only GET is served", http.StatusMethodNotAllowed)
		return
	}
	if kind == "metrics" {
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(server.cache.Metrics())
		return
	}
	if !request.URL.Query().Has("name") {
		http.NotFound(writer, request)
		return
	}
	one, found := server.known[kind][request.URL.Query().Get("name")]
	if !found {
		_, _ = writer.Write([]byte(noData))
		return
	}
	value, err := server.cache.Get(request.Context(), one.key, server.ages, one.fetch)
	if err != nil {
		say("%s could not be read: %v", one.key, err)
		http.Error(writer, err.Error(), http.StatusBadGateway)
		return
	}
	if len(value) == 0 {
		value = []byte(noData)
	}
	_, _ = writer.Write(value)
}
