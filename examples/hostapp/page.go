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

// entry is one platform on the page.
type entry struct {
	Name, Base, What string
	Curl             string // an example command
}

// page lists the mounted platforms. Without -dev, the commands have placeholders for credentials.
func page(m mounted) http.Handler {
	var entries []entry
	if v := m.Vercel; v != nil {
		token := "$TOKEN"
		if v.Tokens != "" {
			token = "$(curl -s '" + v.Tokens +
				"?installation=icfg_9aXw3LmQ7vBn2TzK5rYd8PcH&auth=system')"
		}
		entries = append(entries, entry{"Vercel", v.Base,
			"The Partner API of a marketplace integration: Vercel is the client.",
			`curl -H "Authorization: Bearer ` + token + `" \` + "\n  " + v.Base +
				"/v1/installations/icfg_9aXw3LmQ7vBn2TzK5rYd8PcH/plans"})
	}
	if s := m.SoftwareOne; s != nil {
		entries = append(entries,
			entry{"SoftwareOne", s.Base,
				"The installations of a marketplace platform, for its vendors, clients and " +
					"extensions.",
				`curl -H 'Authorization: Bearer ` + cmp.Or(s.VendorToken, "idt:TKN-…") + `' \` +
					"\n  '" +
					s.Base + "/installations?limit=10'"})
	}
	if a := m.Ampersand; a != nil {
		entries = append(entries, entry{"Ampersand", a.Base,
			"The installations and connections of an integration platform, for its builders.",
			`curl -H 'X-Api-Key: ` + cmp.Or(a.APIKey, "…") + `' \` + "\n  " + a.Base +
				"/projects/" + cmp.Or(a.ProjectID, "PROJECT") + "/installations"})
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
