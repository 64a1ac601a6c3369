package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// problemsOf returns the status of an error, 0 for none, and its violations.
func problemsOf(err error) (int, []string) {
	if err == nil {
		return 0, nil
	}
	p := httpapi.ProblemOf(err)
	var out []string
	for _, v := range p.Issues {
		out = append(out, v.Path+" "+string(v.Rule))
	}
	return p.Status, out
}

func TestRead(t *testing.T) {
	for body, want := range map[string]struct {
		status     int
		violations []string
		text       string
	}{
		`{"a":"x"}`: {0, nil, "x"},
		`{}`:        {0, nil, ""},
		`{"a":1}`:   {400, []string{"a format"}, ""},
		`{"a":`:     {400, []string{" syntax"}, ""},
		``:          {400, []string{" format"}, "not called"},
		`null`:      {400, []string{" format"}, "not called"},
		`[]`:        {400, []string{" format"}, "not called"},
	} {
		r := httptest.NewRequest("PUT", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		text, err := httpapi.Read(r, func(in httpapi.Object) string {
			if want.text == "not called" {
				t.Errorf("%q was read", body)
			}
			return in.String("a")
		})
		status, got := problemsOf(err)
		if status != want.status || len(want.violations) != len(got) {
			t.Errorf("%q: %d %q, %q", body, status, got, text)
		}
		if err == nil && text != want.text {
			t.Errorf("%q: read %q", body, text)
		}
	}
}

func TestReadQuery(t *testing.T) {
	type params struct {
		text, mode string
		flag       bool
		n          int
	}
	read := func(query string) (params, error) {
		q := httpapi.ReadQuery(httptest.NewRequest("GET", "/?"+query, nil))
		got := params{q.Text("text"), q.OneOf("mode", "a", "b"), q.Flag("flag"),
			q.Number("n", 1, 9, 5)}
		return got, q.Err()
	}
	for query, want := range map[string]params{
		"":                                {n: 5},
		"text=x%20y&mode=b&flag=true&n=9": {"x y", "b", true, 9},
		"flag=false&other=1&other=2":      {n: 5},
	} {
		got, err := read(query)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", query, got, err)
		}
	}
	for query, want := range map[string][]string{
		"text=%00":         {"?text format"},
		"text=a&text=b":    {"?text too_many"},
		"mode=c":           {"?mode unknown"},
		"mode=":            {"?mode unknown"},
		"flag=1":           {"?flag unknown"},
		"n=x":              {"?n format"},
		"n=":               {"?n format"},
		"n=10&flag=x":      {"?flag unknown", "?n range"},
		"text=%zz&text=ok": {"? format"},
	} {
		_, err := read(query)
		if status, got := problemsOf(err); status != 400 || len(got) != len(want) ||
			strings.Fields(got[0])[0] != strings.Fields(want[0])[0] {
			t.Errorf("%q: %d %q, want %q", query, status, got, want)
		}
	}
}

func TestRequiredParameter(t *testing.T) {
	for query, want := range map[string]string{
		"id=x": "", "": "?id required", "id=": "?id required", "id=x&id=y": "?id too-many",
	} {
		q := httpapi.ReadQuery(httptest.NewRequest("GET", "/?"+query, nil))
		id := q.Required("id")
		_, got := problemsOf(q.Err())
		if strings.Join(got, " ") != want || (id == "x") != (want == "") {
			t.Errorf("%q: read %q, %q, want %q", query, id, got, want)
		}
	}
}

// TestNames: the renderer gets the names of the wire, and only whole names are replaced.
func TestNames(t *testing.T) {
	var got []string
	api := httpapi.New(httpapi.Config{
		Render: func(p *httpapi.Problem) *httpapi.Answer {
			for _, v := range p.Issues {
				got = append(got, v.Path)
			}
			return &httpapi.Answer{Status: p.Status}
		},
		Names: []httpapi.Name{{Domain: "", Wire: "body"}, {Domain: "a.b", Wire: "x"}},
	})
	var l validate.List
	for _, path := range []string{"", "a.b", "a.b.c", "a.b[0]", "a.bc", "a"} {
		l.Add(path, validate.RuleFormat, "wrong")
	}
	err := l.Err()
	api.Handle("/", httpapi.Methods{
		"GET": func(*http.Request) (*httpapi.Answer, error) { return nil, err },
	})
	rec := httptest.NewRecorder()
	api.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	want := []string{"body", "x", "x.c", "x[0]", "a.bc", "a"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if body, _ := io.ReadAll(rec.Body); rec.Code != 400 || len(body) > 0 {
		t.Errorf("%d %s", rec.Code, body)
	}
}
