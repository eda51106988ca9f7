package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// Sources read values from AWS, with one client for each service and region.
type Sources struct {
	base aws.Config

	mutex      sync.Mutex
	parameters map[string]*ssm.Client
	secrets    map[string]*secretsmanager.Client
	tables     map[string]*dynamodb.Client
}

// NewSources makes clients at their first use.
func NewSources(base aws.Config) *Sources {
	return &Sources{
		base:       base,
		parameters: map[string]*ssm.Client{},
		secrets:    map[string]*secretsmanager.Client{},
		tables:     map[string]*dynamodb.Client{},
	}
}

func (sources *Sources) in(region string) aws.Config {
	config := sources.base.Copy()
	config.Region = region
	return config
}

// client gives the client of a region, made once.
func client[T any](sources *Sources, kept map[string]*T, region string, make func(aws.Config) *T) *T {
	sources.mutex.Lock()
	defer sources.mutex.Unlock()
	if kept[region] == nil {
		kept[region] = make(sources.in(region))
	}
	return kept[region]
}

// GetParameter is Systems Manager's operation of that name.
func (sources *Sources) GetParameter(
	ctx context.Context, region, name string, decrypt bool,
) (*ssm.GetParameterOutput, error) {
	api := client(sources, sources.parameters, region, func(config aws.Config) *ssm.Client {
		return ssm.NewFromConfig(config)
	})
	return api.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
}

// GetSecretValue is Secrets Manager's operation of that name.
func (sources *Sources) GetSecretValue(
	ctx context.Context, region string, input *secretsmanager.GetSecretValueInput,
) (*secretsmanager.GetSecretValueOutput, error) {
	api := client(sources, sources.secrets, region, func(config aws.Config) *secretsmanager.Client {
		return secretsmanager.NewFromConfig(config)
	})
	return api.GetSecretValue(ctx, input)
}

// Parameter fetches a parameter's value; a reference to a secret is a parameter, too.
func (sources *Sources) Parameter(region, name string) Fetch {
	return func(ctx context.Context) ([]byte, error) {
		found, err := sources.GetParameter(ctx, region, name, true)
		if err != nil {
			return nil, err
		}
		return []byte(aws.ToString(found.Parameter.Value)), nil
	}
}

// Secret fetches a secret's current value.
func (sources *Sources) Secret(region, name string) Fetch {
	return func(ctx context.Context) ([]byte, error) {
		found, err := sources.GetSecretValue(ctx, region, &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err != nil {
			return nil, err
		}
		if found.SecretString == nil {
			return found.SecretBinary, nil
		}
		return []byte(*found.SecretString), nil
	}
}

// Item fetches a DynamoDB item as JSON.
func (sources *Sources) Item(item Item) Fetch {
	return func(ctx context.Context) ([]byte, error) {
		api := client(sources, sources.tables, item.Region, func(config aws.Config) *dynamodb.Client {
			return dynamodb.NewFromConfig(config)
		})
		key := map[string]types.AttributeValue{item.HashKey: keyValue(item.HashKeyType, item.HashKeyValue)}
		if item.SortKey != "" {
			key[item.SortKey] = keyValue(item.SortKeyType, item.SortKeyValue)
		}
		found, err := api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &item.Table, Key: key})
		if err != nil {
			return nil, err
		}
		if found.Item == nil {
			return nil, fmt.Errorf("%s has no item %s", item.Table, item.Name())
		}
		var plain map[string]any
		numbers := func(options *attributevalue.DecoderOptions) { options.UseNumber = true }
		if err := attributevalue.UnmarshalMapWithOptions(found.Item, &plain, numbers); err != nil {
			return nil, err
		}
		return json.Marshal(jsonable(plain))
	}
}

// jsonable keeps every digit of DynamoDB's numbers.
func jsonable(value any) any {
	switch known := value.(type) {
	case attributevalue.Number:
		return json.Number(known)
	case map[string]any:
		for name, member := range known {
			known[name] = jsonable(member)
		}
	case []any:
		for place, member := range known {
			known[place] = jsonable(member)
		}
	case []attributevalue.Number:
		numbers := make([]json.Number, len(known))
		for place, number := range known {
			numbers[place] = json.Number(number)
		}
		return numbers
	}
	return value
}

func keyValue(kind, text string) types.AttributeValue {
	if kind == "N" {
		return &types.AttributeValueMemberN{Value: text}
	}
	return &types.AttributeValueMemberS{Value: text}
}
