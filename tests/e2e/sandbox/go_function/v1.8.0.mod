module example.com/misbehave

go 1.21

require github.com/aws/aws-lambda-go v1.8.0

require github.com/stretchr/testify v1.12.1 // indirect
