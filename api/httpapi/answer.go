package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// JSON is the media type of answers, unless they say otherwise.
const JSON = "application/json"

// Answer is what an endpoint returns, and what a [Renderer] makes of an error.
type Answer struct {
	Status      int         // 0 = 200, or 204 without Body
	Body        any         // written by encoding/json; nil = none
	ContentType string      // of Body; "" = JSON
	Revision    int64       // of the installation shown, for the ETag; 0 = none
	Header      http.Header // what else to set
}

// errAnswer says that an answer cannot be written as JSON.
var errAnswer = errors.New("the answer cannot be encoded")

// encode returns the body as it is sent; nil = none.
func (a Answer) encode() ([]byte, error) {
	if a.Body == nil {
		return nil, nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.Body); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, HostError(err)) // it quotes the value
	}
	return body.Bytes(), nil
}

// write sends the answer with its encoded body.
func (a Answer) write(w http.ResponseWriter, body []byte) {
	h := w.Header()
	maps.Copy(h, a.Header)
	if a.Revision > 0 {
		h.Set("ETag", ETag(a.Revision))
	}
	status := a.Status
	switch {
	case body != nil:
		h.Set("Content-Type", contentType(a.ContentType))
		h.Set("Content-Length", strconv.Itoa(len(body)))
	case status == 0:
		status = http.StatusNoContent
	}
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

func contentType(s string) string {
	if s == "" {
		return JSON
	}
	return s
}
