package vercel_test

import (
	"net/http/httptest"
	"testing"
)

// TestHostRoutes: the host's route of the example stands beside the handler, and checks the same
// tokens.
func TestHostRoutes(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	mux, err := partner(w.svc, w.verifier)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	const resources = path + "/resources"
	tests := []struct {
		name, method, path, token string
		status                    int
		answer                    string
	}{
		{"host's route", "POST", resources, w.issuer.user(icfg), 201,
			`{"id":"db-1","name":"The database of Northwind Bikes"}`},
		{"without a token", "POST", resources, "", 401,
			`{"error":{"code":"unauthorized","message":"Unauthorized"}}`},
		{"of another installation", "POST", resources, w.issuer.user("icfg_0"), 403,
			`{"error":{"code":"forbidden","message":"Forbidden"}}`},
		{"the handler", "GET", path, w.issuer.system(icfg), 200, `{}`},
		{"nobody's route", "GET", path + "/nothing", w.issuer.system(icfg), 404,
			refusal("not_found", "There is no such resource.")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			send(t, server.URL, tt.method, tt.path, tt.token, "").want(t, tt.status, tt.answer)
		})
	}
}
