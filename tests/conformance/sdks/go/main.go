// Calls operations by name through aws-sdk-go v1 and prints what the SDK parsed.
//
// Standard input: {"endpoint", "cases": [{"id", "service", "operation", "input"}]}. Standard output: one JSON object a
// line for each case. Times are {"$time": milliseconds}, blobs {"$blob": base64}. Members that the SDK knows and did
// not get are null.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/apigateway"
	"github.com/aws/aws-sdk-go/service/apigatewayv2"
	"github.com/aws/aws-sdk-go/service/cloudformation"
	"github.com/aws/aws-sdk-go/service/cloudwatch"
	"github.com/aws/aws-sdk-go/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go/service/codedeploy"
	"github.com/aws/aws-sdk-go/service/dynamodb"
	"github.com/aws/aws-sdk-go/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go/service/elbv2"
	"github.com/aws/aws-sdk-go/service/eventbridge"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/kinesis"
	"github.com/aws/aws-sdk-go/service/kms"
	"github.com/aws/aws-sdk-go/service/lambda"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/secretsmanager"
	"github.com/aws/aws-sdk-go/service/sfn"
	"github.com/aws/aws-sdk-go/service/sns"
	"github.com/aws/aws-sdk-go/service/sqs"
	"github.com/aws/aws-sdk-go/service/ssm"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/aws/aws-sdk-go/service/xray"
)

type call struct {
	ID        int                    `json:"id"`
	Service   string                 `json:"service"`
	Operation string                 `json:"operation"`
	Input     map[string]interface{} `json:"input"`
}

type job struct {
	Endpoint string `json:"endpoint"`
	Cases    []call `json:"cases"`
}

func clients(s *session.Session) map[string]interface{} {
	known := map[string]interface{}{
		"apigateway": apigateway.New(s), "apigatewayv2": apigatewayv2.New(s), "cloudformation": cloudformation.New(s),
		"cloudwatch": cloudwatch.New(s), "codedeploy": codedeploy.New(s), "dynamodb": dynamodb.New(s),
		"dynamodbstreams": dynamodbstreams.New(s), "elbv2": elbv2.New(s), "events": eventbridge.New(s),
		"iam": iam.New(s), "kinesis": kinesis.New(s), "kms": kms.New(s), "lambda": lambda.New(s),
		"logs": cloudwatchlogs.New(s), "s3": s3.New(s), "secretsmanager": secretsmanager.New(s), "sns": sns.New(s),
		"sqs": sqs.New(s), "ssm": ssm.New(s), "stepfunctions": sfn.New(s), "sts": sts.New(s), "xray": xray.New(s),
	}
	for name, client := range younger(s) {
		known[name] = client
	}
	return known
}

func main() {
	var work job
	if err := json.NewDecoder(os.Stdin).Decode(&work); err != nil {
		panic(err)
	}
	known := clients(session.Must(session.NewSession(&aws.Config{
		Region:                    aws.String("eu-west-1"),
		Endpoint:                  aws.String(work.Endpoint),
		Credentials:               credentials.NewStaticCredentials("AKIAEXAMPLE", "secret", ""),
		S3ForcePathStyle:          aws.Bool(true),
		MaxRetries:                aws.Int(0),
		DisableEndpointHostPrefix: aws.Bool(true),
		// The answers are made up, so their checksums are too.
		DisableComputeChecksums: aws.Bool(true),
	})))
	printed := json.NewEncoder(os.Stdout)
	for _, one := range work.Cases {
		if err := printed.Encode(run(known[one.Service], one)); err != nil {
			panic(err)
		}
	}
}

// run makes one call. "unknown" says that this version of the SDK does not have the operation.
func run(client interface{}, one call) (found map[string]interface{}) {
	found = map[string]interface{}{"id": one.ID}
	defer func() {
		if broken := recover(); broken != nil {
			found["failed"] = fmt.Sprint(broken)
		}
	}()
	method := method(client, one.Operation+"WithContext")
	if !method.IsValid() {
		found["unknown"] = true
		return found
	}
	input := reflect.New(method.Type().In(1).Elem())
	fill(input, one.Input)
	found["asked"] = dump(input)
	var requestID string
	options := []request.Option{
		func(r *request.Request) {
			r.HTTPRequest.Header.Set("X-Case", fmt.Sprint(one.ID))
			r.Handlers.Complete.PushBack(func(r *request.Request) { requestID = r.RequestID })
		},
	}
	arguments := []reflect.Value{reflect.ValueOf(aws.BackgroundContext()), input}
	for _, option := range options {
		arguments = append(arguments, reflect.ValueOf(option))
	}
	results := method.Call(arguments)
	if err, _ := results[1].Interface().(error); err != nil {
		found["error"] = failure(err)
		return found
	}
	found["output"] = dump(results[0])
	if events := stream(results[0]); events != nil {
		found["events"] = events
	}
	found["request_id"] = requestID
	return found
}

// method ignores case: Go's name of GetAPI and the model's may differ.
func method(client interface{}, name string) reflect.Value {
	value := reflect.ValueOf(client)
	for i := 0; i < value.NumMethod(); i++ {
		if strings.EqualFold(value.Type().Method(i).Name, name) {
			return value.Method(i)
		}
	}
	return reflect.Value{}
}

func failure(err error) map[string]interface{} {
	found := map[string]interface{}{"class": fmt.Sprintf("%T", err), "text": err.Error()}
	if known, ok := err.(awserr.Error); ok {
		found["code"], found["message"] = known.Code(), known.Message()
	}
	if known, ok := err.(awserr.RequestFailure); ok {
		found["status"], found["request_id"] = known.StatusCode(), known.RequestID()
	}
	if value := reflect.ValueOf(err); value.Kind() == reflect.Ptr && strings.HasSuffix(value.Type().String(), "Exception") {
		found["members"] = dump(value)
	}
	return found
}

// stream reads an event stream to its end.
func stream(output reflect.Value) []interface{} {
	getter := output.MethodByName("GetStream")
	if !getter.IsValid() {
		getter = output.MethodByName("GetEventStream")
	}
	if !getter.IsValid() {
		return nil
	}
	opened := getter.Call(nil)[0]
	defer opened.MethodByName("Close").Call(nil)
	events := opened.MethodByName("Events").Call(nil)[0]
	found := []interface{}{}
	for {
		event, more := events.Recv()
		if !more {
			break
		}
		value := event.Elem()
		name := value.Type().Elem().Name()
		found = append(found, map[string]interface{}{name: dump(value)})
	}
	if err, _ := opened.MethodByName("Err").Call(nil)[0].Interface().(error); err != nil {
		found = append(found, map[string]interface{}{"$error": failure(err)})
	}
	return found
}

var (
	timeType   = reflect.TypeOf(time.Time{})
	bytesType  = reflect.TypeOf([]byte{})
	readerType = reflect.TypeOf((*io.Reader)(nil)).Elem()
)

// fill sets what the SDK knows of a JSON value, ignoring the case of names.
func fill(target reflect.Value, value interface{}) {
	if target.Kind() == reflect.Ptr {
		if target.IsNil() {
			target.Set(reflect.New(target.Type().Elem()))
		}
		fill(target.Elem(), value)
		return
	}
	switch {
	case target.Type() == timeType:
		millis := int64(value.(map[string]interface{})["$time"].(float64))
		target.Set(reflect.ValueOf(time.Unix(0, millis*1e6).UTC()))
	case target.Type() == bytesType:
		target.SetBytes(blob(value))
	case target.Kind() == reflect.Interface && target.Type().Implements(readerType):
		target.Set(reflect.ValueOf(aws.ReadSeekCloser(strings.NewReader(string(blob(value))))))
	case target.Kind() == reflect.Struct:
		for name, item := range value.(map[string]interface{}) {
			field := target.FieldByNameFunc(func(own string) bool { return strings.EqualFold(own, name) })
			if field.IsValid() {
				fill(field, item)
			}
		}
	case target.Kind() == reflect.Slice:
		for _, item := range value.([]interface{}) {
			one := reflect.New(target.Type().Elem()).Elem()
			fill(one, item)
			target.Set(reflect.Append(target, one))
		}
	case target.Kind() == reflect.Map:
		target.Set(reflect.MakeMap(target.Type()))
		for name, item := range value.(map[string]interface{}) {
			one := reflect.New(target.Type().Elem()).Elem()
			fill(one, item)
			target.SetMapIndex(reflect.ValueOf(name), one)
		}
	default:
		target.Set(reflect.ValueOf(value).Convert(target.Type()))
	}
}

func blob(value interface{}) []byte {
	data, err := base64.StdEncoding.DecodeString(value.(map[string]interface{})["$blob"].(string))
	if err != nil {
		panic(err)
	}
	return data
}

// dump is the JSON form of a value of the SDK.
func dump(value reflect.Value) interface{} {
	switch value.Kind() {
	case reflect.Ptr, reflect.Interface:
		if value.IsNil() {
			return nil
		}
		if reader, ok := value.Interface().(io.Reader); ok {
			return drained(reader)
		}
		return dump(value.Elem())
	case reflect.Struct:
		if value.Type() == timeType {
			return map[string]interface{}{"$time": value.Interface().(time.Time).UnixNano() / 1e6}
		}
		return members(value)
	case reflect.Slice:
		if value.IsNil() {
			return nil
		}
		if value.Type() == bytesType {
			return map[string]interface{}{"$blob": base64.StdEncoding.EncodeToString(value.Bytes())}
		}
		found := []interface{}{}
		for i := 0; i < value.Len(); i++ {
			found = append(found, dump(value.Index(i)))
		}
		return found
	case reflect.Map:
		found := map[string]interface{}{}
		for _, key := range value.MapKeys() {
			found[key.String()] = dump(value.MapIndex(key))
		}
		return found
	}
	return value.Interface()
}

func members(value reflect.Value) interface{} {
	found := map[string]interface{}{}
	for i := 0; i < value.NumField(); i++ {
		field := value.Type().Field(i)
		kind := field.Type.Kind()
		if field.PkgPath != "" || kind == reflect.Func || strings.HasSuffix(field.Type.String(), "EventStream") {
			continue
		}
		found[field.Name] = dump(value.Field(i))
	}
	return found
}

// drained leaves an input's reader where it was.
func drained(reader io.Reader) interface{} {
	data, err := io.ReadAll(reader)
	if err != nil {
		panic(err)
	}
	if seeker, ok := reader.(io.Seeker); ok {
		if _, err := seeker.Seek(0, io.SeekStart); err != nil {
			panic(err)
		}
	}
	return map[string]interface{}{"$blob": base64.StdEncoding.EncodeToString(data)}
}
