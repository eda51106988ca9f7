// The main job as a Go program does it with aws-sdk-go v1: deploy, upload, wait, download, read the log.
//
// Usage: program ENDPOINT FUNCTION.zip RUNTIME HANDLER SOURCE_BUCKET TARGET_BUCKET. Prints JSON.
// The SDK knows no endpoint variables; its own Endpoint and S3ForcePathStyle are all that differs from AWS.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/lambda"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/s3/s3manager"
)

const (
	name     = "go-program"
	bigBytes = 12 << 20
	partSize = 5 << 20
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject",` +
		`"logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`
)

type result struct {
	Uploaded   string `json:"uploaded"`
	Downloaded string `json:"downloaded"`
	ETag       string `json:"etag"`
	Copied     string `json:"copied"`
	Output     string `json:"output"`
	Log        string `json:"log"`
	Refusal    string `json:"refusal"`
}

func main() {
	endpoint, pack, runtime, handler, source, target := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]
	s := session.Must(session.NewSession(&aws.Config{
		Region:           aws.String("eu-west-1"),
		Endpoint:         aws.String(endpoint),
		S3ForcePathStyle: aws.Bool(true),
	}))
	deploy(s, pack, runtime, handler, source, target)
	var found result
	transfer(s, source, &found)
	pipeline(s, source, target, &found)
	found.Log = readLog(s)
	_, err := s3.New(s).GetObject(&s3.GetObjectInput{Bucket: &target, Key: aws.String("nothing")})
	if refused, ok := err.(awserr.RequestFailure); ok {
		found.Refusal = fmt.Sprintf("%s %d", refused.Code(), refused.StatusCode())
	}
	check(json.NewEncoder(os.Stdout).Encode(found))
}

func deploy(s *session.Session, pack, runtime, handler, source, target string) {
	buckets, roles, functions := s3.New(s), iam.New(s), lambda.New(s)
	for _, bucket := range []string{source, target} {
		_, err := buckets.CreateBucket(&s3.CreateBucketInput{
			Bucket:                    aws.String(bucket),
			CreateBucketConfiguration: &s3.CreateBucketConfiguration{LocationConstraint: aws.String("eu-west-1")},
		})
		check(err)
		check(buckets.WaitUntilBucketExists(&s3.HeadBucketInput{Bucket: aws.String(bucket)}))
	}
	role, err := roles.CreateRole(&iam.CreateRoleInput{
		RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(trust),
	})
	check(err)
	_, err = roles.PutRolePolicy(&iam.PutRolePolicyInput{
		RoleName: aws.String(name), PolicyName: aws.String("pipeline"), PolicyDocument: aws.String(policy),
	})
	check(err)
	zip, err := os.ReadFile(pack)
	check(err)
	function, err := functions.CreateFunction(&lambda.CreateFunctionInput{
		FunctionName: aws.String(name),
		Runtime:      aws.String(runtime),
		Handler:      aws.String(handler),
		Role:         role.Role.Arn,
		Timeout:      aws.Int64(30),
		Code:         &lambda.FunctionCode{ZipFile: zip},
		Environment:  &lambda.Environment{Variables: map[string]*string{"DST_BUCKET": aws.String(target)}},
	})
	check(err)
	check(functions.WaitUntilFunctionActive(&lambda.GetFunctionConfigurationInput{FunctionName: aws.String(name)}))
	_, err = functions.AddPermission(&lambda.AddPermissionInput{
		FunctionName: aws.String(name),
		StatementId:  aws.String("s3"),
		Action:       aws.String("lambda:InvokeFunction"),
		Principal:    aws.String("s3.amazonaws.com"),
		SourceArn:    aws.String("arn:aws:s3:::" + source),
	})
	check(err)
	_, err = buckets.PutBucketNotificationConfiguration(&s3.PutBucketNotificationConfigurationInput{
		Bucket: aws.String(source),
		NotificationConfiguration: &s3.NotificationConfiguration{
			LambdaFunctionConfigurations: []*s3.LambdaFunctionConfiguration{{
				LambdaFunctionArn: function.FunctionArn,
				Events:            aws.StringSlice([]string{s3.EventS3ObjectCreated}),
				Filter: &s3.NotificationConfigurationFilter{Key: &s3.KeyFilter{FilterRules: []*s3.FilterRule{
					{Name: aws.String("suffix"), Value: aws.String(".yaml")},
				}}},
			}},
		},
	})
	check(err)
}

// transfer takes a file of several parts there and back.
func transfer(s *session.Session, bucket string, found *result) {
	content := make([]byte, bigBytes)
	_, err := rand.Read(content)
	check(err)
	uploader := s3manager.NewUploader(s, func(u *s3manager.Uploader) { u.PartSize = partSize })
	_, err = uploader.Upload(&s3manager.UploadInput{
		Bucket: aws.String(bucket), Key: aws.String("big file.bin"), Body: bytes.NewReader(content),
	})
	check(err)
	head, err := s3.New(s).HeadObject(&s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("big file.bin")})
	check(err)
	back := aws.NewWriteAtBuffer(nil)
	downloader := s3manager.NewDownloader(s, func(d *s3manager.Downloader) { d.PartSize = partSize })
	_, err = downloader.Download(back, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("big file.bin")})
	check(err)
	found.Uploaded, found.Downloaded = digest(content), digest(back.Bytes())
	found.ETag = aws.StringValue(head.ETag)
}

// pipeline puts the small file that the function transforms.
func pipeline(s *session.Session, source, target string, found *result) {
	_, err := s3manager.NewUploader(s).Upload(&s3manager.UploadInput{
		Bucket: aws.String(source), Key: aws.String("in/größe 1.yaml"), Body: strings.NewReader("name: Zoë\nitems: [1, 2]\n"),
	})
	check(err)
	objects := s3.New(s)
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		listed, err := objects.ListObjectsV2(&s3.ListObjectsV2Input{Bucket: aws.String(target)})
		check(err)
		if len(listed.Contents) > 0 {
			found.Copied = aws.StringValue(listed.Contents[0].Key)
			break
		}
	}
	back := aws.NewWriteAtBuffer(nil)
	_, err = s3manager.NewDownloader(s).Download(back, &s3.GetObjectInput{Bucket: &target, Key: &found.Copied})
	check(err)
	found.Output = string(back.Bytes())
}

func readLog(s *session.Session) string {
	var lines []string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		lines = nil
		err := cloudwatchlogs.New(s).FilterLogEventsPages(
			&cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/aws/lambda/" + name)},
			func(page *cloudwatchlogs.FilterLogEventsOutput, last bool) bool {
				for _, event := range page.Events {
					lines = append(lines, aws.StringValue(event.Message))
				}
				return true
			})
		if missing, ok := err.(*cloudwatchlogs.ResourceNotFoundException); ok && missing != nil {
			continue
		}
		check(err)
		if strings.Contains(strings.Join(lines, ""), "REPORT RequestId") {
			break
		}
	}
	return strings.Join(lines, "")
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
