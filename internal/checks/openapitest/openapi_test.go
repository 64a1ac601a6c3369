package openapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// root is the root of the clone.
const root = "../../.."

// exchange is a line of the file that the tests of the handler write.
type exchange struct {
	Test, Method, URL string
	Header            http.Header
	Body              []byte
	Status            int
	AnswerHeader      http.Header
	Answer            []byte
}

// TestAmpersand runs the tests of the handler and checks their exchanges.
func TestAmpersand(t *testing.T) {
	router := load(t)
	seen, bad := make(map[string]int), make(map[string]bool)
	for _, e := range record(t, "./api/ampersand", "INSTALLATION_TEST_EXCHANGES") {
		operation, err := check(t.Context(), router, e)
		seen[operation]++
		if err == nil {
			continue
		}
		problem := fmt.Sprintf("%s: status %d: %s", operation, e.Status, first(err))
		if !bad[problem] { // many tests send the same
			bad[problem] = true
			t.Errorf("%s: %s\nrequest %.400s\nanswer %.900s", e.Test, problem, e.Body, e.Answer)
		}
	}
	total := 0
	for operation, n := range seen {
		if operation != "" {
			total += n
		}
	}
	if len(seen) < 25 || total < 1000 {
		t.Errorf("only %d exchanges of %d operations", total, len(seen))
	}
	t.Logf("%d exchanges of %d operations, and %d of none", total, len(seen)-1, seen[""])
}

// first returns the first line of an error.
func first(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// load reads the description.
func load(t *testing.T) routers.Router {
	t.Helper()
	file := os.Getenv("INSTALLATION_AMPERSAND_OPENAPI")
	if file == "" {
		file = filepath.Join(root, "..", "shared", "reference", "ampersand-openapi", "api.json")
	}
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		// The description is not part of the repository; see the package comment.
		t.Skip("no description of Ampersand's API found")
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: "/"}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// record runs the tests of a package and returns the exchanges that they write to the file in the
// environment variable.
func record(t *testing.T, pkg, variable string) []exchange {
	t.Helper()
	file := filepath.Join(t.TempDir(), "exchanges")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), variable+"="+file, "INSTALLATION_TEST_REDIS=skip")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var e exchange
		if err := dec.Decode(&e); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

// undescribed matches paths that we serve beyond the description: the platform's documentation has
// the verbs, and some clients add a slash.
var undescribed = regexp.MustCompile(`/[^/]+:(pause|unpause)$|/$`)

// lenient matches violations in requests that we accept: metadata without a source, which is
// "input" then, the value null in a JSON Patch, a value that no path of a mask names, and a project
// in projectId, as the Node SDK sends it.
var lenient = regexp.MustCompile(`/source": property "source" is missing` +
	`|/changes/0/value": Value is not nullable` +
	`|/read/objects/deal": value must be an object` +
	`|/installation/config(/content)?": .*Value is not nullable` +
	`|property "projectIdOrName" is missing`)

// check returns the method and path of an exchange in the description, or "" if the description has
// no such path. It fails unless the answer fits the description, and so does an accepted request.
func check(ctx context.Context, router routers.Router, e exchange) (operation string, err error) {
	r, err := http.NewRequestWithContext(ctx, e.Method, e.URL, bytes.NewReader(e.Body))
	if err != nil {
		return "", nil // no client can send it
	}
	r.Header = e.Header
	route, params, err := router.FindRoute(r)
	if err != nil {
		known := e.Method == http.MethodHead || undescribed.MatchString(r.URL.Path)
		if e.Status < 400 && !known {
			return "", fmt.Errorf("%s is accepted, and not in the description", e.URL)
		}
		return "", nil
	}
	options := &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		MultiError:         false, IncludeResponseStatus: true,
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route, Options: options,
	}
	operation = e.Method + " " + route.Path
	if e.Status < 300 {
		err := openapi3filter.ValidateRequest(ctx, in)
		if err != nil && !lenient.MatchString(err.Error()) {
			return operation, fmt.Errorf("request: %w", err)
		}
	}
	err = openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: e.Status, Header: e.AnswerHeader,
		Body: io.NopCloser(bytes.NewReader(e.Answer)), Options: options,
	})
	return operation, err
}

// TestCheckFindsFaults changes good exchanges, and expects that each change is found.
func TestCheckFindsFaults(t *testing.T) {
	router := load(t)
	good := exchange{
		Method: "GET", URL: "/projects/p/provider-apps", Status: 200,
		AnswerHeader: http.Header{"Content-Type": {"application/json"}},
		Answer: []byte(`[{"id":"a","projectId":"p","provider":"x","clientId":"c",` +
			`"createTime":"2026-03-02T10:00:00.120000Z"}]`),
	}
	if operation, err := check(t.Context(), router, good); err != nil || operation == "" {
		t.Fatal(operation, err)
	}
	for old, fresh := range map[string]string{
		`"clientId":"c",`: ``, `"c"`: `null`, `"p"`: `7`, `[{`: `{"x":[{`, `}]`: `}`,
	} {
		e := good
		e.Answer = bytes.Replace(slices.Clone(good.Answer), []byte(old), []byte(fresh), 1)
		if _, err := check(t.Context(), router, e); err == nil {
			t.Errorf("%s passes", e.Answer)
		}
	}
	e := good
	e.AnswerHeader = http.Header{"Content-Type": {"text/html"}}
	if _, err := check(t.Context(), router, e); err == nil {
		t.Error("another content type passes")
	}
	e = good
	e.URL = "/projects/p/provider-appz"
	if _, err := check(t.Context(), router, e); err == nil {
		t.Error("an unknown path passes")
	}
}
