// Package main is a Go plugin: built with -buildmode=plugin, shipped in a layer, opened by the function at run time.
//
// Both ciphers shift the 95 printable characters of ASCII, from the space to the tilde. Other characters stay.
package main

import (
	"errors"
	"math/rand"
)

const (
	first = ' '
	count = '~' - ' ' + 1
)

// EncryptCaesar shifts every character by the same number of places.
func EncryptCaesar(places int, text string) string {
	return shifted(text, func(int) int { return places })
}

// DecryptCaesar undoes EncryptCaesar with the same number of places.
func DecryptCaesar(places int, text string) string {
	return shifted(text, func(int) int { return -places })
}

// Verman shifts every character by a number of its own, drawn anew for each text.
type Verman struct {
	key        []int
	ciphertext string
}

// VermanCipher is the symbol that a function looks up.
var VermanCipher Verman

// Encrypt draws a key as long as the text and keeps it for Decrypt.
func (cipher *Verman) Encrypt(text string) string {
	cipher.key = make([]int, len(text))
	for place := range cipher.key {
		cipher.key[place] = rand.Intn(count)
	}
	cipher.ciphertext = shifted(text, func(place int) int { return cipher.key[place] })
	return cipher.ciphertext
}

// Decrypt gives back the text that was encrypted last.
func (cipher *Verman) Decrypt() (*string, error) {
	if cipher.key == nil {
		return nil, errors.New("nothing was encrypted yet")
	}
	text := shifted(cipher.ciphertext, func(place int) int { return -cipher.key[place] })
	return &text, nil
}

func shifted(text string, places func(int) int) string {
	out := []byte(text)
	for place, character := range out {
		if character < first || character > '~' {
			continue
		}
		moved := (int(character) - first + places(place)) % count
		if moved < 0 {
			moved += count
		}
		out[place] = byte(first + moved)
	}
	return string(out)
}

func main() {}
