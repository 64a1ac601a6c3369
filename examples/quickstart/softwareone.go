package main

import (
	"context"
	_ "embed"
	"encoding/json"

	"github.com/go-installation/installation/api/softwareone"
)

//go:embed payloads/softwareone.json
var softwareonePayload []byte

// softwareoneVendor is the account that owns the extension of the third chapter.
const softwareoneVendor = "ACC-123-123"

// owner says who owns an extension, for Options.Owner. A host looks it up in its own catalogue. A
// vendor cannot say so in a request.
func owner(_ context.Context, _, extension string) (string, error) {
	if extension == "EXT-6822-9898-4256" {
		return softwareoneVendor, nil
	}
	return "", nil
}

func readSoftwareone() (*softwareone.Installation, error) {
	var in softwareone.Installation
	return &in, json.Unmarshal(softwareonePayload, &in)
}
