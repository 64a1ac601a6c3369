package ampersand_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
)

var recording sync.Mutex

// recorded returns h. If INSTALLATION_TEST_EXCHANGES names a file, it returns a handler that also
// appends each exchange to the file, for internal/checks/openapitest.
func recorded(t testing.TB, h http.Handler) http.Handler {
	file := os.Getenv("INSTALLATION_TEST_EXCHANGES")
	if file == "" {
		return h
	}
	test := t.Name()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a body that breaks off is read again below
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		answer := rec.Body.Bytes()
		line, err := json.Marshal(map[string]any{
			"Test": test, "Method": r.Method, "URL": r.URL.RequestURI(), "Header": r.Header,
			"Body": body, "Status": rec.Code, "AnswerHeader": rec.Header(), "Answer": answer,
		})
		if err == nil {
			err = appendTo(file, append(line, '\n'))
		}
		if err != nil {
			panic(err)
		}
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(answer)
	})
}

// appendTo appends a line to a file.
func appendTo(file string, line []byte) error {
	recording.Lock()
	defer recording.Unlock()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
