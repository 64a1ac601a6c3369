package main

import (
	"bytes"
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"time"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageData is what the page shows. Listings is nil without -dev.
type pageData struct {
	mounted
	Platforms int
	Listings  map[string]*listing // by the base address of the platform
}

// page serves a page for people: the mounted platforms, and commands to try them. With -dev it
// also lists the installations of each platform. Without -dev there is no list, since anyone can
// read the page, and the commands have placeholders for credentials.
func (a *app) page(sites []*site, dev bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data := pageData{mounted: a.mounted, Platforms: len(sites)}
		if dev {
			ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
			defer cancel()
			data.Listings = a.listings(ctx, sites)
		}
		var text bytes.Buffer
		if err := pageTemplate.Execute(&text, data); err != nil {
			panic(err) // only if page.html is wrong
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		_, _ = w.Write(text.Bytes())
	})
}

// listings returns a listing for each platform.
func (a *app) listings(ctx context.Context, sites []*site) map[string]*listing {
	all := make(map[string]*listing, len(sites))
	for _, s := range sites {
		l := &listing{}
		for _, tenant := range s.tenants {
			if err := l.add(ctx, a.svc, tenant); err != nil {
				a.log.Error("page", "error", err)
				l.Failed = true
			}
		}
		all["http://"+a.mounted.Addr+s.path] = l
	}
	return all
}
