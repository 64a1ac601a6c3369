package main

import (
	_ "embed"
	"encoding/json"

	"github.com/go-installation/installation/api/vercel"
)

var (
	//go:embed payloads/vercel-request.json
	vercelRequestPayload []byte
	//go:embed payloads/vercel-response.json
	vercelResponsePayload []byte
)

// These values come with the request but not in its body: from the path, the
// headers, and the claims of the token that the host has verified.
const (
	vercelID             = "icfg_7Hq2LxV9cPz4WbT1kNd8RyGe"
	vercelIdempotencyKey = "4b0d7a52-upsert"
	vercelClientID       = "oac_3tRk8QwZ"
	vercelAccountID      = "5e20d7"
	vercelUserID         = "user-81f3"
)

// readVercel reads the request and the response. The partner, which is the host, chooses the
// content of the response.
func readVercel() (in vercel.Upsert, out vercel.Installation, err error) {
	if err := json.Unmarshal(vercelRequestPayload, &in); err != nil {
		return in, out, err
	}
	return in, out, json.Unmarshal(vercelResponsePayload, &out)
}
