//go:build old

package main

import "github.com/aws/aws-sdk-go/aws/session"

func younger(*session.Session) map[string]interface{} {
	return nil
}
