module example.com/misbehave

go 1.21

require github.com/aws/aws-lambda-go v1.27.0
