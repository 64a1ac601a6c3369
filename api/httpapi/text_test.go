package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/go-installation/installation/api/httpapi"
)

// TestTextIsSentAsItIs expects neither quotes nor escapes.
func TestTextIsSentAsItIs(t *testing.T) {
	const text = `https://host.example/?a=1&b="<>"`
	url, _ := serve(t, httpapi.Config{}, httpapi.Methods{
		"GET": func(*http.Request) (*httpapi.Answer, error) {
			return &httpapi.Answer{ContentType: "text/plain", Body: httpapi.Text(text)}, nil
		},
	})
	resp, body := send(t, "GET", url+"/things/a", nil)
	if resp.Header.Get("Content-Type") != "text/plain" || string(body) != text {
		t.Errorf("%s: %s", resp.Header.Get("Content-Type"), body)
	}
}
