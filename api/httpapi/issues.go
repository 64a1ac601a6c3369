package httpapi

import (
	"slices"
	"strings"

	"github.com/go-installation/installation/validate"
)

// documents are the paths of the fields that hold a JSON document. "" is the whole body. The path
// of a violation inside a document is the path of the document and a JSON Pointer, such as
// configuration/api_key.
var documents = []string{
	"", "configuration", "connection", "connection.metadata", "document", "extra",
	"patch",
}

// issues returns a copy of violations with the paths that clients get: names with dots between
// them. An array index in a JSON Pointer looks like a name, so it gets a dot too.
func issues(violations []validate.Violation) []validate.Violation {
	out := slices.Clone(violations)
	for i := range out {
		out[i].Path, out[i].Related = dotted(out[i].Path), dotted(out[i].Related)
		// The name of the reporting package means nothing to a client.
		out[i].Detail = strings.TrimPrefix(out[i].Detail, "json: ")
	}
	return out
}

// pointerEscapes decodes the escapes of a JSON Pointer (RFC 6901, section 4).
var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// dotted returns a path with dots in place of a JSON Pointer: configuration/api_key becomes
// configuration.api_key. Any other path stays as it is, since its names can have slashes.
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

// Name translates paths of violations. Domain is the path of a field in this library, and Wire is
// the path of the same field in the platform's API. The paths of fields inside Domain are
// translated too. An empty Domain translates the path of the whole body, and no other path.
type Name struct{ Domain, Wire string }

// wireName translates a path with the first name that fits. Without one, it returns the path as
// it is.
func wireName(path string, names []Name) string {
	for _, n := range names {
		rest, ok := strings.CutPrefix(path, n.Domain)
		below := n.Domain != "" && strings.IndexAny(rest, ".[/") == 0
		if ok && (rest == "" || below) {
			return n.Wire + rest
		}
	}
	return path
}
