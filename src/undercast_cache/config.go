package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// Settings come from environment variables, as Lambda gives them to extensions.
type Settings struct {
	TTL                  time.Duration
	StaleWhileRevalidate time.Duration
	LoadAtInit           bool
	MaxBytes             int
	Port                 string
}

// AWSSettings are those of AWS's own Parameters and Secrets Lambda Extension.
// AWS: Secrets Manager User Guide, "Use AWS Secrets Manager secrets in AWS Lambda functions", environment variables.
type AWSSettings struct {
	Port          string
	Enabled       bool
	MaxItems      int
	ParameterTTL  time.Duration
	SecretTTL     time.Duration
	ParameterWait time.Duration
	SecretWait    time.Duration
}

// Group is a list of names in one region.
type Group struct {
	Region string   `yaml:"region"`
	Names  []string `yaml:"names"`
}

// Item is one DynamoDB item, named by its table and keys.
type Item struct {
	Region       string `yaml:"region"`
	Table        string `yaml:"table"`
	HashKey      string `yaml:"hashkey"`
	HashKeyType  string `yaml:"hashkeytype"`
	HashKeyValue string `yaml:"hashkeyvalue"`
	SortKey      string `yaml:"sortkey"`
	SortKeyType  string `yaml:"sortkeytype"`
	SortKeyValue string `yaml:"sortkeyvalue"`
}

// Name is what a function asks for: table, hash value and sort value with dashes between.
func (item Item) Name() string {
	if item.SortKey == "" {
		return item.Table + "-" + item.HashKeyValue
	}
	return item.Table + "-" + item.HashKeyValue + "-" + item.SortKeyValue
}

// Config is the function's config.yaml.
type Config struct {
	Parameters []Group
	Secrets    []Group
	Items      []Item
}

// environment reads variables and remembers the first one that is wrong.
type environment struct {
	get func(string) string
	err error
}

func (env *environment) duration(name string, unset time.Duration) time.Duration {
	text := env.get(name)
	if text == "" {
		return unset
	}
	value, err := time.ParseDuration(text)
	if err != nil || value < 0 {
		env.fail(name, text, "a Go duration such as 30s or 3m")
	}
	return value
}

func (env *environment) boolean(name string, unset bool) bool {
	text := env.get(name)
	if text == "" {
		return unset
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		env.fail(name, text, "true or false")
	}
	return value
}

func (env *environment) number(name string, unset, most int) int {
	text := env.get(name)
	if text == "" {
		return unset
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 0 || value > most {
		env.fail(name, text, fmt.Sprintf("a whole number from 0 to %d", most))
	}
	return value
}

func (env *environment) fail(name, text, wanted string) {
	if env.err == nil {
		env.err = fmt.Errorf("%s is %q; it must be %s", name, text, wanted)
	}
}

const maxBytes = 1 << 30

// ReadSettings reads both kinds of settings. The error names the variable.
func ReadSettings(get func(string) string) (Settings, AWSSettings, error) {
	env := &environment{get: get}
	settings := Settings{
		TTL:                  env.duration("CACHE_EXTENSION_TTL", time.Hour),
		StaleWhileRevalidate: env.duration("CACHE_EXTENSION_STALE_WHILE_REVALIDATE", 0),
		LoadAtInit:           env.boolean("CACHE_EXTENSION_INIT_STARTUP", true),
		MaxBytes:             env.number("CACHE_EXTENSION_MAX_BYTES", 10<<20, maxBytes),
		Port:                 strconv.Itoa(env.number("CACHE_EXTENSION_HTTP_PORT", 4000, 65535)),
	}
	seconds := func(name string) time.Duration {
		return time.Duration(env.number(name, 300, 300)) * time.Second
	}
	milliseconds := func(name string) time.Duration {
		return time.Duration(env.number(name, 0, 900_000)) * time.Millisecond
	}
	awsSettings := AWSSettings{
		Port:          strconv.Itoa(env.number("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", 2773, 65535)),
		Enabled:       env.boolean("PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED", true),
		MaxItems:      env.number("PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE", 1000, 1000),
		ParameterTTL:  seconds("SSM_PARAMETER_STORE_TTL"),
		SecretTTL:     seconds("SECRETS_MANAGER_TTL"),
		ParameterWait: milliseconds("SSM_PARAMETER_STORE_TIMEOUT_MILLIS"),
		SecretWait:    milliseconds("SECRETS_MANAGER_TIMEOUT_MILLIS"),
	}
	return settings, awsSettings, env.err
}

// ReadConfig reads config.yaml; what is wrong is named with its line.
func ReadConfig(path, region string) (Config, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Config{}, fmt.Errorf("%s is missing: put it into the root of the function's package", path)
	}
	if err != nil {
		return Config{}, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(document.Content) == 0 {
		return Config{}, nil
	}
	config, err := parse(document.Content[0], region)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

func parse(root *yaml.Node, region string) (Config, error) {
	var config Config
	if root.Kind != yaml.MappingNode {
		return config, at(root, "expected parameters:, secrets: and dynamodb:")
	}
	for place := 0; place < len(root.Content); place += 2 {
		key, value := root.Content[place], root.Content[place+1]
		var err error
		switch key.Value {
		case "parameters":
			config.Parameters, err = groups(value, region)
		case "secrets":
			config.Secrets, err = groups(value, region)
		case "dynamodb":
			config.Items, err = items(value, region)
		default:
			err = at(key, fmt.Sprintf("unknown key %q; expected parameters, secrets or dynamodb", key.Value))
		}
		if err != nil {
			return config, err
		}
	}
	return config, nil
}

// entries gives the elements of a list; a single mapping stands for a list of one.
func entries(node *yaml.Node) ([]*yaml.Node, error) {
	switch {
	case node.Kind == yaml.SequenceNode:
		return node.Content, nil
	case node.Kind == yaml.MappingNode:
		return []*yaml.Node{node}, nil
	case node.Tag == "!!null":
		return nil, nil
	}
	return nil, at(node, "expected a list")
}

func groups(node *yaml.Node, region string) ([]Group, error) {
	found, err := entries(node)
	if err != nil {
		return nil, err
	}
	result := make([]Group, 0, len(found))
	regions := map[string]string{}
	for _, entry := range found {
		var group Group
		if err := decode(entry, &group, "region", "names"); err != nil {
			return nil, err
		}
		if len(group.Names) == 0 {
			return nil, at(entry, "names: is missing or empty")
		}
		if group.Region == "" {
			group.Region = region
		}
		for _, name := range group.Names {
			if other, named := regions[name]; named && other != group.Region {
				return nil, at(entry, fmt.Sprintf("%q is named in %s, too; functions ask for it by its name alone", name, other))
			}
			regions[name] = group.Region
		}
		result = append(result, group)
	}
	return result, nil
}

func items(node *yaml.Node, region string) ([]Item, error) {
	found, err := entries(node)
	if err != nil {
		return nil, err
	}
	result := make([]Item, 0, len(found))
	named := map[string]Item{}
	for _, entry := range found {
		var item Item
		err := decode(entry, &item, "region", "table", "hashkey", "hashkeytype", "hashkeyvalue",
			"sortkey", "sortkeytype", "sortkeyvalue")
		if err != nil {
			return nil, err
		}
		if problem := item.problem(); problem != "" {
			return nil, at(entry, problem)
		}
		if item.Region == "" {
			item.Region = region
		}
		if other, twice := named[item.Name()]; twice && other != item {
			return nil, at(entry, fmt.Sprintf("another item has the name %q, too; functions ask for it by that alone", item.Name()))
		}
		named[item.Name()] = item
		result = append(result, item)
	}
	return result, nil
}

func (item Item) problem() string {
	isKeyType := map[string]bool{"S": true, "N": true}
	switch {
	case item.Table == "":
		return "table: is missing"
	case item.HashKey == "" || item.HashKeyValue == "":
		return "hashkey: or hashkeyvalue: is missing"
	case !isKeyType[item.HashKeyType]:
		return "hashkeytype: must be S or N"
	case item.SortKey != "" && !isKeyType[item.SortKeyType]:
		return "sortkeytype: must be S or N"
	}
	return ""
}

// decode fills a struct and refuses keys that it does not have: a typing error must not be a silent miss.
func decode(node *yaml.Node, target any, known ...string) error {
	if node.Kind != yaml.MappingNode {
		return at(node, "expected a mapping")
	}
	for place := 0; place < len(node.Content); place += 2 {
		key := node.Content[place]
		if !contains(known, key.Value) {
			return at(key, fmt.Sprintf("unknown key %q; expected one of %v", key.Value, known))
		}
	}
	if err := node.Decode(target); err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	return nil
}

func contains(names []string, name string) bool {
	for _, one := range names {
		if one == name {
			return true
		}
	}
	return false
}

func at(node *yaml.Node, text string) error {
	return fmt.Errorf("line %d: %s", node.Line, text)
}
