"""Go's net/rpc with encoding/gob: the protocol of the go1.x runtime, spoken by aws-lambda-go."""
