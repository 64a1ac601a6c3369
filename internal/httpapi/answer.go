package httpapi

import (
	"bytes"
	"encoding/json"
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

// write sends the answer. The body is complete before anything is sent, so that one which cannot be written becomes 500.
func (a Answer) write(w http.ResponseWriter) {
	var body bytes.Buffer
	if a.Body != nil {
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(false)
		if enc.Encode(a.Body) != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
	}
	h := w.Header()
	maps.Copy(h, a.Header)
	if a.Revision > 0 {
		h.Set("ETag", ETag(a.Revision))
	}
	status := a.Status
	switch {
	case a.Body != nil:
		h.Set("Content-Type", contentType(a.ContentType))
		h.Set("Content-Length", strconv.Itoa(body.Len()))
	case status == 0:
		status = http.StatusNoContent
	}
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that is gone needs no answer
}

func contentType(s string) string {
	if s == "" {
		return JSON
	}
	return s
}
