// Command engine is the function: it opens the ciphers that a layer brings and runs both.
package main

import (
	"context"
	"plugin"

	"github.com/aws/aws-lambda-go/lambda"
)

const text = "This is my super secret text 007!"

// Result is what the function answers.
type Result struct {
	PlainText   string
	EncryptedC4 string
	DecryptedC4 string
	EncryptedV  string
	DecryptedV  string
}

// engine is what the plugin's VermanCipher can do; the function does not know its type.
type engine interface {
	Encrypt(text string) string
	Decrypt() (*string, error)
}

func handle(context.Context) (*Result, error) {
	ciphers, err := plugin.Open("/opt/cipher.so")
	if err != nil {
		return nil, err
	}
	encrypt, err := ciphers.Lookup("EncryptCaesar")
	if err != nil {
		return nil, err
	}
	decrypt, err := ciphers.Lookup("DecryptCaesar")
	if err != nil {
		return nil, err
	}
	verman, err := ciphers.Lookup("VermanCipher")
	if err != nil {
		return nil, err
	}
	shifted := encrypt.(func(int, string) string)(4, text)
	result := &Result{
		PlainText:   text,
		EncryptedC4: shifted,
		DecryptedC4: decrypt.(func(int, string) string)(4, shifted),
		EncryptedV:  verman.(engine).Encrypt(text),
	}
	back, err := verman.(engine).Decrypt()
	if err != nil {
		return nil, err
	}
	result.DecryptedV = *back
	return result, nil
}

func main() {
	lambda.Start(handle)
}
