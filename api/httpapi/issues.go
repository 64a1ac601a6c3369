package httpapi

import (
	"slices"
	"strings"

	"github.com/go-installation/installation/validate"
)

// documents are where JSON documents are in the domain; "" is the body. Behind them, the path of a violation goes on with a JSON Pointer.
var documents = []string{"", "configuration", "connection", "connection.metadata", "document", "extra"}

// issues returns violations in the form that all platforms show: names with dots between them, as the rest of a path has them. An index of an
// array is a name like any other, since a pointer does not tell them apart.
func issues(violations []validate.Violation) []validate.Violation {
	out := slices.Clone(violations)
	for i := range out {
		out[i].Path, out[i].Related = dotted(out[i].Path), dotted(out[i].Related)
		out[i].Detail = strings.TrimPrefix(out[i].Detail, "json: ") // the package that says so is nothing to a client
	}
	return out
}

// pointerEscapes are those of RFC 6901, section 4.
var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// dotted writes a path that ends in a JSON Pointer, such as configuration/api_key, with dots. Others stay: a name in them may have a slash.
func dotted(path string) string {
	document, pointer, found := strings.Cut(path, "/")
	if !found || !slices.Contains(documents, document) {
		return path
	}
	for name := range strings.SplitSeq(pointer, "/") {
		document += "." + pointerEscapes.Replace(name)
	}
	return strings.TrimPrefix(document, ".")
}
