// Reads each YAML object that an S3 event names and writes it as JSON to DST_BUCKET.
// Built on aws-sdk-go v1 with its defaults: no endpoint, no region and no credentials are set here.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/s3/s3manager"
	"gopkg.in/yaml.v3"
)

type result struct {
	Written []string `json:"written"`
}

func main() {
	sess := session.Must(session.NewSession())
	downloader, uploader := s3manager.NewDownloader(sess), s3manager.NewUploader(sess)
	lambda.Start(func(ctx context.Context, event events.S3Event) (result, error) {
		written := []string{}
		for _, record := range event.Records {
			target, err := convert(ctx, downloader, uploader, record.S3)
			if err != nil {
				return result{}, err
			}
			written = append(written, target)
		}
		return result{Written: written}, nil
	})
}

func convert(ctx context.Context, from *s3manager.Downloader, to *s3manager.Uploader, entity events.S3Entity) (string, error) {
	key, err := url.QueryUnescape(entity.Object.Key)
	if err != nil {
		return "", err
	}
	source := aws.NewWriteAtBuffer(nil)
	input := &s3.GetObjectInput{Bucket: aws.String(entity.Bucket.Name), Key: aws.String(key)}
	if _, err := from.DownloadWithContext(ctx, source, input); err != nil {
		return "", fmt.Errorf("s3://%s/%s: %w", entity.Bucket.Name, key, err)
	}
	var document interface{}
	if err := yaml.Unmarshal(source.Bytes(), &document); err != nil {
		return "", err
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return "", err
	}
	target := strings.TrimSuffix(key, path.Ext(key)) + ".json"
	bucket := os.Getenv("DST_BUCKET")
	_, err = to.UploadWithContext(ctx, &s3manager.UploadInput{
		Bucket:      aws.String(bucket),
		Key:         aws.String(target),
		Body:        bytes.NewReader(body.Bytes()),
		ContentType: aws.String("application/json"),
	})
	if err != nil {
		return "", fmt.Errorf("s3://%s/%s: %w", bucket, target, err)
	}
	fmt.Printf("s3://%s/%s -> s3://%s/%s (%d bytes)\n", entity.Bucket.Name, key, bucket, target, body.Len())
	return target, nil
}
