package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// JSON is the default media type of an [Answer].
const JSON = "application/json"

// ProblemJSON is the media type of problem details (RFC 9457).
const ProblemJSON = "application/problem+json"

// Answer is the response of an [Endpoint] or a [Renderer].
type Answer struct {
	Status      int         // 0 = 200, or 204 without Body
	Body        any         // Text, or encoded with encoding/json; nil = no body
	ContentType string      // of Body; "" = JSON
	Revision    int64       // of the installation in Body, for the ETag; 0 = no ETag
	Header      http.Header // additional headers
}

// Text is a body of an [Answer] that is sent as it is, with a ContentType such as "text/plain".
type Text string

// errAnswer means that the body of an answer cannot be encoded as JSON.
var errAnswer = errors.New("the answer cannot be encoded")

// encode returns the encoded body of the answer, or nil if there is no body.
func (a *Answer) encode() ([]byte, error) {
	if a.Body == nil {
		return nil, nil
	}
	if text, ok := a.Body.(Text); ok {
		return []byte(text), nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.Body); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, HostError(err)) // err can quote the body
	}
	return body.Bytes(), nil
}

// write sends the answer with its encoded body.
func (a *Answer) write(w http.ResponseWriter, body []byte) {
	h := w.Header()
	maps.Copy(h, a.Header)
	if a.Revision > 0 {
		h.Set("ETag", ETag(a.Revision))
	}
	status := http.StatusNoContent
	if body != nil {
		status = http.StatusOK
		h.Set("Content-Type", cmp.Or(a.ContentType, JSON))
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(cmp.Or(a.Status, status))
	_, _ = w.Write(body) // fails only if the client is gone
}
