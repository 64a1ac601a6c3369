package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// entry is one platform on the page. Curl is an example command.
type entry struct{ Name, Base, What, Curl string }

// page lists the mounted platforms. Without -dev, the commands have placeholders for credentials.
func page(m mounted) http.Handler {
	var entries []entry
	add := func(name, base, what, header, url string) {
		curl := "curl -H " + header + " \\\n  " + url
		entries = append(entries, entry{name, base, what, curl})
	}
	if v := m.Vercel; v != nil {
		const id = "icfg_9aXw3LmQ7vBn2TzK5rYd8PcH"
		token := "$TOKEN"
		if v.Tokens != "" {
			token = "$(curl -s '" + v.Tokens + "?installation=" + id + "&auth=system')"
		}
		add("Vercel", v.Base, "The Partner API of a marketplace integration: Vercel is the client.",
			`"Authorization: Bearer `+token+`"`, v.Base+"/v1/installations/"+id+"/plans")
	}
	if s := m.SoftwareOne; s != nil {
		add("SoftwareOne", s.Base, "The installations of a marketplace platform, for its vendors, "+
			"clients and extensions.",
			"'Authorization: Bearer "+cmp.Or(s.VendorToken, "idt:TKN-…")+"'",
			"'"+s.Base+"/installations?limit=10'")
	}
	if a := m.Ampersand; a != nil {
		add("Ampersand", a.Base, "The installations and connections of an integration platform, "+
			"for its builders.", "'X-Api-Key: "+cmp.Or(a.APIKey, "…")+"'",
			a.Base+"/projects/"+cmp.Or(a.ProjectID, "PROJECT")+"/installations")
	}
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, entries); err != nil {
		panic(err) // only if this file is wrong
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		_, _ = w.Write(text.Bytes())
	})
}
