package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Read parses the body of a request as a JSON object, calls read with it, and returns the result.
// If the body is not a valid JSON object, or read finds violations in it, Read returns an error
// with all violations.
func Read[T any](r *http.Request, read func(Object) T) (T, error) {
	body, err := Document(r)
	if err != nil {
		var zero T
		return zero, err
	}
	return ReadNode(body, read)
}

// ReadNode is [Read] for a document that is already parsed. A nil document is not a valid object.
func ReadNode[T any](n *jsontree.Node, read func(Object) T) (T, error) {
	var l validate.List
	var out T
	if in := ReadObject(n, "", &l); in.node != nil {
		out = read(in)
	}
	return out, l.Err()
}

// Body reads the body of a request. Without a body it returns an empty slice. The caller owns the
// slice, and should clear it if it can contain secrets.
func Body(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(r.Body)
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = caused(CodeTimeout, "The body took too long.", err)
	case ProblemOf(err).Code != CodeTooLarge:
		// The client closed the body early, or its HTTP framing is broken. Neither is the server's
		// fault.
		err = Invalid("", validate.RuleSyntax, "the body ends early")
	}
	clear(text)
	return nil, err
}

// Document parses the body of a request as one JSON document. It returns nil if there is no body.
// It rejects a body whose headers do not declare JSON. It also rejects text that two parsers could
// understand differently, such as an object with the same name twice.
func Document(r *http.Request) (*jsontree.Node, error) {
	text, err := Body(r)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	defer clear(text)
	return Parse(r.Header, text)
}

// A body can contain a document, such as a configuration, below outer members. The document alone
// can reach the default limits of jsontree, so these constants add room for the outer members.
const (
	extraDepth   = 8
	extraPointer = 256
)

// Parse is [Document] for the headers and the text of a body that was read before.
func Parse(h http.Header, text []byte) (*jsontree.Node, error) {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		p := Reject(CodeMediaType, "The body must be sent without compression.")
		p.Header = http.Header{"Accept-Encoding": {"identity"}}
		return nil, p
	}
	if !declaredJSON(h) {
		return nil, Reject(CodeMediaType, "The body must be application/json in UTF-8.")
	}
	tree, err := jsontree.Parse(text, jsontree.Limits{
		Bytes:   max(1, len(text)),
		Depth:   jsontree.DefaultDepth + extraDepth,
		Pointer: jsontree.DefaultPointer + extraPointer,
		Values:  2 * jsontree.DefaultValues,
	})
	if fault, ok := errors.AsType[*jsontree.Error](err); ok {
		return nil, Invalid(fault.Pointer, validate.Rule(fault.Fault), fault.Error())
	}
	return tree, err
}

// declaredJSON reports whether the headers declare JSON in UTF-8.
func declaredJSON(h http.Header) bool {
	types := h.Values("Content-Type")
	if len(types) != 1 {
		return false
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil {
		return false
	}
	if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	suffixed := strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
	return media == JSON || suffixed
}
