module example.com/s3-pipeline

go 1.21

require (
	github.com/aws/aws-lambda-go v1.27.0
	github.com/aws/aws-sdk-go v1.42.12
	gopkg.in/yaml.v3 v3.0.1
)

require github.com/jmespath/go-jmespath v0.4.0 // indirect
