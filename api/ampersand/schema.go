package ampersand

import (
	"context"
	_ "embed"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/validate"
)

//go:embed schema.json
var contentSchema []byte

var content = validate.SchemaText(contentSchema)

// Schema is Options.Schema for a service behind a [Handler]: the schema of config.content. It demands what the platform demands of it, and says
// where names of the customer's own stand, so that a field called access_token__c is no secret, and neither is what stands in an object of that
// name. What else is called like a secret, there or elsewhere, still is one, and so is an address with a password in it.
func Schema(context.Context, string, installation.Extension) (validate.SchemaSource, error) {
	return content, nil
}
