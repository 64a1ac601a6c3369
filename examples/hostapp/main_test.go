package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/redistest"
)

// running is a hostapp under test.
type running struct {
	mounted
	status <-chan int // once it has ended
	stop   context.CancelFunc
	log    *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs the program and reads its first line.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	status := make(chan int, 1)
	r := &running{stop: cancel, log: &lockedBuffer{}, status: status}
	args = append([]string{"-addr", "127.0.0.1:0", "-store", "memory"}, args...)
	go func() {
		s := program(ctx, args, in, r.log)
		_ = in.Close()
		status <- s
	}()
	t.Cleanup(func() {
		cancel()
		_, _ = io.Copy(io.Discard, out)
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		t.Fatalf("no first line: %v\n%s", err, r.log)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	if err := json.Unmarshal(line, &r.mounted); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r
}

// ask sends a request and returns the status and the body.
func ask(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// stores returns the arguments that choose a store. Where no Redis server is
// installed, only the Redis part of a test is skipped.
var stores = map[string]func(*testing.T) []string{
	"memory": func(*testing.T) []string { return nil },
	"file": func(t *testing.T) []string {
		return []string{"-store", "bolt:" + filepath.Join(t.TempDir(), "hostapp.db")}
	},
	"redis": func(t *testing.T) []string {
		return []string{"-store", "redis://" + redistest.Start(t).Addr}
	},
}

// devStep is a request to the server of -dev, with the status and a part of the
// text of its answer.
type devStep struct {
	method, url, body string
	header            []string
	status            int
	has               string
}

// With -dev each platform accepts the credentials of the first line. This is so
// on each store, and nothing is installed at the start.
func TestDevCredentialsWorkOnEveryPlatform(t *testing.T) {
	for name, args := range stores {
		t.Run(name, func(t *testing.T) {
			r := start(t, append([]string{"-dev"}, args(t)...)...)
			steps := slices.Concat(vercelSteps(t, r), softwareoneSteps(r), ampersandSteps(r),
				[]devStep{{"GET", "http://" + r.Addr + "/healthz", "", nil, 200, `"ok"`}})
			for _, s := range steps {
				status, text := ask(t, s.method, s.url, s.body, s.header...)
				if status != s.status || !strings.Contains(text, s.has) {
					t.Errorf("%s %s: %d %s, want %d with %s", s.method, s.url, status, text,
						s.status, s.has)
				}
			}
			r.stop()
			if status := <-r.status; status != 0 {
				t.Errorf("ended with %d\n%s", status, r.log)
			}
			if strings.Contains(r.log.String(), "tok-made-up") ||
				strings.Contains(r.log.String(), r.SoftwareOne.VendorToken) {
				t.Errorf("a secret is in the log:\n%s", r.log)
			}
		})
	}
}

func vercelSteps(t *testing.T, r *running) []devStep {
	t.Helper()
	const id = "icfg_9aXw3LmQ7vBn2TzK5rYd8PcH"
	token := func(auth string) []string {
		status, text := ask(t, "GET", r.Vercel.Tokens+"?installation="+id+"&auth="+auth, "")
		if status != 200 {
			t.Fatalf("token: %d %s", status, text)
		}
		return bearer(text)
	}
	at := r.Vercel.Base + "/v1/installations/" + id
	return []devStep{
		{"GET", at, "", token("system"), 404, "not_found"},
		{"PUT", at, `{"scopes":["read"],"acceptedPolicies":{},
			"credentials":{"access_token":"tok-made-up","token_type":"Bearer"},
			"account":{"url":"https://vercel.example/acme",
			"contact":{"email":"iris@northwind.example"}}}`, token("user"), 200, "{"},
		{"GET", at + "/plans", "", token("system"), 200, `"hobby"`},
		{"PATCH", at, `{"billingPlanId":"team"}`, token("user"), 200, `"team"`},
		{"GET", at, "", token("system"), 200, `"team"`},
	}
}

func softwareoneSteps(r *running) []devStep {
	s := r.SoftwareOne
	at := s.Base + "/installations"
	body := `{"extension":{"id":"` + s.ExtensionID + `"},"modules":[{"id":"MOD-0478"}]}`
	return []devStep{
		{"GET", at, "", bearer(s.VendorToken), 200, `"data":[]`},
		{"POST", at, body, bearer(s.ClientToken), 201, `"Installed"`},
		{"GET", at, "", bearer(s.ExtensionToken), 200, `"total":1`},
		{"GET", at, "", bearer(s.Client2Token), 200, `"data":[]`},
		{"GET", at, "", bearer(s.OperationsToken), 200, `"total":1`},
	}
}

func ampersandSteps(r *running) []devStep {
	key := []string{"X-Api-Key", r.Ampersand.APIKey}
	project := r.Ampersand.Base + "/projects/" + r.Ampersand.ProjectID
	integration := project + "/integrations/" + r.Ampersand.IntegrationID
	return []devStep{
		{"GET", project + "/installations", "", key, 200, "[]"},
		{"GET", project + "/connections", "", key, 200, `"hubspot"`},
		{"POST", integration + "/installations",
			`{"groupRef":"group-123","config":{"content":{"provider":"salesforce",
			"read":{"objects":{"contact":{"objectName":"contact","schedule":"0 * * * *",
			"destination":"contactHook","selectedFields":{"access_token__c":true},
			"selectedFieldMappings":{}}}}}}}`,
			key, 201, `"access_token__c":true`},
	}
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// The program exits with an error without keys, or if it cannot authenticate
// its callers.
func TestIncompleteConfigurationIsRejected(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keys := write("keys", newKeys(t))
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"nothing":         {nil, 2, "-keys"},
		"keys alone":      {[]string{"-keys", keys}, 2, "-config"},
		"config alone":    {[]string{"-config", write("empty.json", "{}")}, 2, "-keys"},
		"dev with config": {[]string{"-dev", "-config", "x"}, 2, "Usage"},
		"no such keys": {[]string{"-keys", filepath.Join(dir, "none"), "-config",
			write("vercel.json", vercelOnly)}, 1, "none"},
		"no platform": {[]string{"-keys", keys, "-config", write("none.json", "{}")}, 1,
			"names no platform"},
		"no issuer": {[]string{"-keys", keys, "-config",
			write("half.json", `{"vercel":{"clientID":"oac_1"}}`)}, 1, "issuer"},
		"no audience": {[]string{"-keys", keys, "-config", write("other.json",
			`{"vercel":{"issuer":"https://issuer.example"}}`)}, 1, "clientID"},
		"unknown member": {[]string{"-keys", keys, "-config",
			write("typo.json", `{"vercell":{}}`)}, 1, "not a configuration"},
		"secret of wrong type": {[]string{"-keys", keys, "-config", write("type.json",
			`{"softwareone":{"tokenKey":["hunter2"]}}`)}, 1, "not a configuration"},
		"one tenant twice": {[]string{"-keys", keys, "-config", write("shared.json",
			vercelOnly[:len(vercelOnly)-1]+`,"ampersand":{"projects":[{"id":"oac_1"}]}}`)}, 1,
			`"oac_1"`},
		"one project twice": {[]string{"-keys", keys, "-config",
			write("twice.json", `{"ampersand":{"projects":[{"id":"p"},{"id":"p"}]}}`)}, 1, `"p"`},
		"a key that is none": {[]string{"-keys", keys, "-config", write("pem.json",
			`{"ampersand":{"projects":[{"id":"p","publicKeys":{"k":"hunter2"}}]}}`)}, 1,
			"no PEM"},
		"a schema that is none": {[]string{"-keys", keys, "-config", write("schema.json",
			`{"softwareone":{"accounts":[{"id":"A","type":"Vendor"}],"extensions":[{"id":"E",`+
				`"owner":"A","status":"Public","schema":{"type":7}}]}}`)}, 1, "keyword"},
		"no redis":      {[]string{"-dev", "-store", "hunter2://"}, 1, "is not memory"},
		"taken address": {[]string{"-dev", "-addr", "256.0.0.1:1"}, 1, "256.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, log bytes.Buffer
			args := append([]string{"-store", "memory"}, c.args...)
			status := program(t.Context(), args, &out, &log)
			if status != c.status || !strings.Contains(log.String(), c.says) || out.Len() > 0 {
				t.Errorf("%d, %q, %q", status, out.String(), log.String())
			}
			if strings.Contains(log.String(), "hunter2") {
				t.Errorf("a secret is shown: %s", log.String())
			}
		})
	}
}

const vercelOnly = `{"vercel":{"clientID":"oac_1","issuer":"https://issuer.example",` +
	`"plans":[{"id":"free","type":"subscription","scope":"installation","name":"Free",` +
	`"description":"-"}]}}`

func newKeys(t *testing.T) string {
	t.Helper()
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	return key.Reveal()
}

// Without -dev only the platforms of the configuration are served. Nothing that
// -dev invents exists.
func TestOnlyConfiguredPlatformsAreServed(t *testing.T) {
	dir := t.TempDir()
	keys, config := filepath.Join(dir, "keys"), filepath.Join(dir, "config.json")
	for path, text := range map[string]string{keys: newKeys(t), config: vercelOnly} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, "-keys", keys, "-config", config)
	if r.Vercel == nil || r.Vercel.Tokens != "" || r.SoftwareOne != nil || r.Ampersand != nil {
		t.Errorf("%+v", r.mounted)
	}
	for path, want := range map[string]int{
		devTokenPath: 404, devKeysPath: 404, "/vercel/webhook": 404, "/v1/projects/p": 404,
		"/vercel/v1/installations/icfg_1":                  401,
		"/softwareone/public/v1/integration/installations": 404, "/": 200,
	} {
		if status, text := ask(t, "GET", "http://"+r.Addr+path, ""); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, text, want)
		}
	}
	if _, text := ask(t, "GET", "http://"+r.Addr+"/", ""); strings.Contains(text, "<h3>Inst") {
		t.Errorf("anyone can read a list of installations:\n%s", text)
	}
}

// No answer may be cached, not even that of an unknown path or a redirect.
func TestEveryAnswerForbidsCaching(t *testing.T) {
	r := start(t, "-dev")
	direct := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	for _, path := range []string{
		"/", "/healthz", "/nope", "/vercel", "/vercel/", "/vercel/nope", "/softwareone/nope",
		"/softwareone/public/v1/integration/nope", "/ampersand/",
		"/ampersand/v1", "/ampersand/v1/nope", "/vercel//v1/installations/x", "/vercel/webhook",
		devTokenPath, devTokenPath + "?auth=nope",
	} {
		for _, method := range []string{"GET", "POST"} {
			req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Addr+path,
				nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := direct.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got := res.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s %s: %d, Cache-Control %q", method, path, res.StatusCode, got)
			}
		}
	}
}

// Anybody who knows the issuer can verify a token of -dev.
func TestDevTokensAreVerifiable(t *testing.T) {
	r := start(t, "-dev")
	_, token := ask(t, "GET", r.Vercel.Tokens+"?installation=icfg_1&auth=system", "")
	verifier, err := vercel.NewVerifier(devClientID,
		&vercel.VerifierOptions{Issuer: "http://" + r.Addr + devIssuerPath})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := verifier.Verify(t.Context(), token)
	if err != nil || claims.Auth != vercel.AuthSystem || claims.InstallationID != "icfg_1" {
		t.Errorf("%+v, %v", claims, err)
	}
}

// TestOutageIsLogged kills the Redis server of a running program. The store and the program log
// what is wrong.
func TestOutageIsLogged(t *testing.T) {
	server := redistest.Start(t)
	r := start(t, "-dev", "-store", "redis://"+server.Addr)
	server.Kill()
	res, err := http.Get("http://" + r.mounted.Addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want %d", res.StatusCode, http.StatusServiceUnavailable)
	}
	var lines []string
	for _, line := range strings.Split(r.log.String(), "\n") {
		if strings.Contains(line, "connection refused") {
			lines = append(lines, line)
		}
	}
	log := strings.Join(lines, "\n")
	for _, who := range []string{"level=WARN msg=\"redisstore: retry\"", "level=ERROR msg=health"} {
		if !strings.Contains(log, who) {
			t.Errorf("no line %q about the outage:\n%s", who, r.log)
		}
	}
}
