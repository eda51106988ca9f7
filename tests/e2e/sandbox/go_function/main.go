// Does what its event asks for: the good and the bad of Go functions.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	Do string
}

var ticks int

func deep(n int) int { return deep(n+1) + 1 }

func handler(ctx context.Context, r request) (interface{}, error) {
	switch r.Do {
	case "panic":
		panic("at the disco")
	case "panic elsewhere":
		go func() { panic("in the back room") }()
		time.Sleep(20 * time.Second)
	case "exit":
		os.Exit(7)
	case "overflow":
		return deep(0), nil
	case "error":
		return nil, errors.New("no such luck")
	case "nothing":
		return nil, nil
	case "bomb":
		held := [][]byte{}
		for {
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = 1
			}
			held = append(held, block)
			ticks = len(held)
		}
	case "loop":
		for {
			ticks++
		}
	case "background":
		go func() {
			for {
				ticks++
				time.Sleep(time.Millisecond)
			}
		}()
	case "ticks":
		return ticks, nil
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]interface{}{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "name": lambdacontext.FunctionName,
			"left": time.Until(deadline).Milliseconds(),
		}, nil
	}
	fmt.Println("on stdout")
	println("on stderr")
	return r, nil
}

func main() { lambda.Start(handler) }
