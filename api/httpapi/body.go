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

// Body reads the body of a request; nothing = there is none. The slice is the caller's, who should clear it where it may hold secrets.
func Body(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(r.Body)
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &Problem{Status: http.StatusRequestTimeout, Code: CodeTimeout, Message: "The body took too long.", Cause: err}
	case ProblemOf(err).Status != http.StatusRequestEntityTooLarge:
		// The client ended early, or broke its own framing: it hardly reads the answer, and the server is not at fault.
		err = Invalid("", validate.RuleSyntax, "the body ends early")
	}
	clear(text)
	return nil, err
}

// Document reads the body of a request as one JSON document; nil = there is no body. It refuses a body that is not declared as JSON, and
// whatever two readers could understand differently.
func Document(r *http.Request) (*jsontree.Node, error) {
	text, err := Body(r)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	defer clear(text)
	return Parse(r.Header, text)
}

// What may stand around a document of the domain in a body, whose own limits count from where it begins.
const (
	aroundDepth   = 8
	aroundPointer = 256
)

// Parse is [Document] for a body that was read before.
func Parse(h http.Header, text []byte) (*jsontree.Node, error) {
	if !declaredJSON(h) {
		return nil, &Problem{Status: http.StatusUnsupportedMediaType, Code: CodeMediaType, Message: "The body must be application/json."}
	}
	tree, err := jsontree.Parse(text, jsontree.Limits{
		Bytes: max(1, len(text)), Depth: jsontree.DefaultDepth + aroundDepth, Pointer: jsontree.DefaultPointer + aroundPointer,
	})
	if fault, ok := errors.AsType[*jsontree.Error](err); ok {
		return nil, Invalid(fault.Pointer, validate.Rule(fault.Fault), fault.Error())
	}
	return tree, err
}

// declaredJSON reports whether a body is said to be JSON, in UTF-8 and not compressed.
func declaredJSON(h http.Header) bool {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false
	}
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
	return media == JSON || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
