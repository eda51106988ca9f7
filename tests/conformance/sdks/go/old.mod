module example.com/sdk-conformance

go 1.21

require github.com/aws/aws-sdk-go v1.25.37

require (
	github.com/jmespath/go-jmespath v0.4.0 // indirect
	golang.org/x/net v0.17.0 // indirect
)
