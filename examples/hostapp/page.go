package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page returns a handler for the page that lists the mounted platforms, with commands to try them.
// Without -dev, the commands have placeholders for credentials.
func page(m mounted, platforms int) http.Handler {
	data := struct {
		mounted
		Platforms int
	}{m, platforms}
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, data); err != nil {
		panic(err) // only if page.html is wrong
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		_, _ = w.Write(text.Bytes())
	})
}
