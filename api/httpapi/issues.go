package httpapi

import (
	"slices"
	"strings"

	"github.com/go-installation/installation/validate"
)

// documents are the places of JSON documents in the domain; "" is the body. The path of a
// violation in a document continues with a JSON Pointer.
var documents = []string{
	"", "configuration", "connection", "connection.metadata", "document", "extra",
}

// issues returns violations in the form of the wire: names with dots between them. An index of
// an array looks like a name, since a pointer does not tell them apart.
func issues(violations []validate.Violation) []validate.Violation {
	out := slices.Clone(violations)
	for i := range out {
		out[i].Path, out[i].Related = dotted(out[i].Path), dotted(out[i].Related)
		// The name of the reporting package means nothing to a client.
		out[i].Detail = strings.TrimPrefix(out[i].Detail, "json: ")
	}
	return out
}

// pointerEscapes are those of RFC 6901, section 4.
var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// dotted writes a path that ends in a JSON Pointer, such as configuration/api_key, with dots.
// Other paths stay, since a name in them may have a slash.
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

// Name translates the paths of violations: Domain is a place in the domain, and Wire is the same
// place on the wire. Paths below Domain are translated too. An empty Domain is the whole body, and
// nothing below it.
type Name struct{ Domain, Wire string }

// wireName translates one path.
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
