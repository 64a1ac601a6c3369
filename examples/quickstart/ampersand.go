package main

import (
	_ "embed"
	"encoding/json"

	"github.com/go-installation/installation/api/ampersand"
)

//go:embed payloads/ampersand.json
var ampersandPayload []byte

// readAmpersand reads an installation as Ampersand sends it. Its secrets are decoded into
// crypto.Secret, which never prints its value.
func readAmpersand() (*ampersand.Installation, error) {
	var in ampersand.Installation
	return &in, json.Unmarshal(ampersandPayload, &in)
}
