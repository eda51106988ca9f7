//go:build !old

package main

import (
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/pipes"
	"github.com/aws/aws-sdk-go/service/scheduler"
)

// younger are the services that the SDK of 2019 does not have.
func younger(s *session.Session) map[string]interface{} {
	return map[string]interface{}{"pipes": pipes.New(s), "scheduler": scheduler.New(s)}
}
