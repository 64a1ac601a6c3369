package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

func TestCondition(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   installation.Guard
		status int
	}{
		{"none", nil, installation.Guard{}, 0},
		{"a revision", []string{` "7" `}, installation.Guard{Revision: 7}, 0},
		{"any", []string{"*"}, installation.Guard{Present: true}, 0},
		{"weak", []string{`W/"7"`}, installation.Guard{}, 409},
		{"foreign", []string{`"abc"`}, installation.Guard{}, 409},
		{"zero", []string{`"0"`}, installation.Guard{}, 409},
		{"with a zero in front", []string{`"07"`}, installation.Guard{}, 409},
		{"with a sign", []string{`"+7"`}, installation.Guard{}, 409},
		{"too large", []string{`"9223372036854775808"`}, installation.Guard{}, 409},
		{"without quotes", []string{`7`}, installation.Guard{}, 400},
		{"half quotes", []string{`"7`}, installation.Guard{}, 400},
		{"empty", []string{``}, installation.Guard{}, 400},
		{"a list", []string{`"7", "8"`}, installation.Guard{}, 400},
		{"two headers", []string{`"7"`, `"8"`}, installation.Guard{}, 400},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header["If-Match"] = tt.values
		got, err := httpapi.Condition(r)
		status := 0
		if err != nil {
			status = httpapi.ProblemOf(err).Status
		}
		if got != tt.want || status != tt.status {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
	if got := httpapi.ETag(7); got != `"7"` {
		t.Errorf("ETag %s", got)
	}
}

func TestBearer(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   string
	}{
		{"a token", []string{"Bearer aZ09-._~+/="}, "aZ09-._~+/="},
		{"another case", []string{"bEARER  x "}, "x"},
		{"none", nil, ""},
		{"two", []string{"Bearer a", "Bearer b"}, ""},
		{"another scheme", []string{"Basic x"}, ""},
		{"no scheme", []string{"x"}, ""},
		{"nothing behind", []string{"Bearer "}, ""},
		{"two words", []string{"Bearer a b"}, ""},
		{"a tab", []string{"Bearer\ta"}, ""},
		{"other characters", []string{"Bearer a\"b"}, ""},
		{"not ASCII", []string{"Bearer ä"}, ""},
		{"long", []string{"Bearer " + strings.Repeat("a", httpapi.MaxToken+1)}, ""},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = tt.values
		if got, ok := httpapi.Bearer(r); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q, %t", tt.name, got, ok)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	keyOf := func(values []string, scope ...string) (string, int) {
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header["Idempotency-Key"] = values
		got, err := httpapi.IdempotencyKey(r, scope...)
		if err != nil {
			return got, httpapi.ProblemOf(err).Status
		}
		return got, 0
	}
	for _, none := range [][]string{nil, {""}} {
		if got, status := keyOf(none, "PUT"); got != "" || status != 0 {
			t.Errorf("%q: %q, %d", none, got, status)
		}
	}
	for name, bad := range map[string][]string{"two": {"a", "b"},
		"long": {strings.Repeat("x", httpapi.MaxIdempotencyKey+1)}} {
		if got, status := keyOf(bad); got != "" || status != 400 {
			t.Errorf("%s: %q, %d", name, got, status)
		}
	}
	seen := make(map[string]string)
	for _, parts := range [][]string{{"PUT", "a", "k"}, {"PUT", "b", "k"}, {"DELETE", "a", "k"},
		{"PUT", "a", "l"}, {"PUTa", "", "k"}, {"PUT", "", "ak"}, {"k"}} {
		got, _ := keyOf(parts[len(parts)-1:], parts[:len(parts)-1]...)
		again, _ := keyOf(parts[len(parts)-1:], parts[:len(parts)-1]...)
		if got == "" || len(got) > 256 || got != again {
			t.Errorf("%q: %q, then %q", parts, got, again)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q have one key", parts, other)
		}
		seen[got] = strings.Join(parts, "|")
	}
	scope := make([]string, 1, 4)
	if _, status := keyOf([]string{"k"}, scope...); status != 0 || scope[:2][1] != "" {
		t.Error("the caller's slice was written to")
	}
}

// FuzzHeaders: every header is understood or refused as input.
func FuzzHeaders(f *testing.F) {
	f.Add("Bearer x", `"1"`, "k")
	f.Add("", "*", "")
	f.Add("bearer \x00", `W/"`, strings.Repeat("k", 300))
	f.Fuzz(func(t *testing.T, authorization, match, key string) {
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header = http.Header{"Authorization": {authorization}, "If-Match": {match},
			"Idempotency-Key": {key}}
		if token, ok := httpapi.Bearer(r); ok &&
			(token == "" || strings.ContainsAny(token, " \t\"\\,")) {
			t.Errorf("token %q", token)
		}
		guard, err := httpapi.Condition(r)
		if status := httpapi.ProblemOf(err).Status; err != nil && status != 400 && status != 409 {
			t.Errorf("status %d", status)
		}
		if guard.Revision < 0 || err != nil && guard != (installation.Guard{}) {
			t.Errorf("guard %+v, %v", guard, err)
		}
		if k, err := httpapi.IdempotencyKey(r, "PUT"); (k == "") != (key == "" || err != nil) {
			t.Errorf("key %q, %v", k, err)
		}
	})
}
