// Copies each object that an S3 event names to the bucket DST_BUCKET, by way of a file in /tmp.
// It behaves as the program of seed S1 does: the SDK's defaults, keys taken as the event has them, errors only logged.
package main

import (
	"context"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/s3/s3manager"
)

func main() { lambda.Start(copyObjects) }

func copyObjects(_ context.Context, event events.S3Event) {
	shared := session.Must(session.NewSessionWithOptions(session.Options{SharedConfigState: session.SharedConfigEnable}))
	paths, err := download(shared, event.Records)
	if err != nil {
		log.Printf("ERROR unable to store files locally with error %v", err)
		return
	}
	if err := upload(shared, paths, os.Getenv("DST_BUCKET")); err != nil {
		log.Printf("ERROR unable to upload files with error %v", err)
	}
}

func download(shared *session.Session, records []events.S3EventRecord) (paths []string, err error) {
	log.Print("About to loop over records")
	downloader := s3manager.NewDownloader(shared)
	for _, record := range records {
		bucket, key := record.S3.Bucket.Name, record.S3.Object.Key
		log.Printf("Creating file locally %s", key)
		path := "/tmp/" + key
		file, err := os.Create(path)
		if err != nil {
			log.Printf("Error creating file %v", err)
			return nil, err
		}
		log.Printf("Downloading from %s", bucket)
		_, err = downloader.Download(file, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
		file.Close()
		if err != nil {
			log.Printf("Error downloading file %v", err)
			return nil, err
		}
		paths = append(paths, path)
	}
	log.Printf("have %d filenames %s", len(paths), paths[0])
	return paths, nil
}

func upload(shared *session.Session, paths []string, bucket string) error {
	log.Print("Uploads")
	uploader := s3manager.NewUploader(shared)
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			log.Printf("Open File error %v", err)
			return err
		}
		// The key starts with "/tmp/"; aws-sdk-go v1 cleans the path of its URL, so "tmp/..." is stored.
		_, err = uploader.Upload(&s3manager.UploadInput{Bucket: aws.String(bucket), Key: aws.String(path), Body: file})
		file.Close()
		if err != nil {
			log.Printf("Upload error %v", err)
			return err
		}
	}
	log.Print("Uploads complete")
	return nil
}
