package softwareone_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/static"
)

// leakQueries contain the canary.
var leakQueries = []string{
	"", "?select=audit", "?like(configuration.api_secret,*c4nary*)", "?name=c4nary",
	"?rql='c4nary", "?gt(revision,c4nary)",
}

// leakBodies are bodies with a secret that are not all valid.
var leakBodies = []string{
	configuredBody,
	`{"configuration":{"api_secret":"c4nary-api-secret","api_secret":"c4nary"}}`,
	`{"configuration":{"api_secret":["c4nary"],"url":"https://c4nary:c4nary@example.com"}}`,
	`{"configuration":"c4nary"}`,
	`{"configuration":{"api_secret":"c4nary\ud800"}}`,
	`{"configuration":{"api_secret":"c4nary" "c4nary"}}`,
	`{"configuration":{"nested":{"password":"c4nary","token":"***"}}}`,
}

// TestNoSecretInResponsesOrLogs passes secrets through every endpoint, in good and bad
// requests, and looks for them in all answers, headers, logs, errors and printed values.
func TestNoSecretInResponsesOrLogs(t *testing.T) {
	w := newWorld(t, newMemory())
	var seen strings.Builder
	do := func(method, path, token, body string, headers ...string) reply {
		t.Helper()
		r := w.do(t, method, path, token, body, headers...)
		fmt.Fprintln(&seen, r.status, r.header, r.body)
		return r
	}
	inst := w.install(t, clientToken, stock)
	path := "/installations/" + inst.ID
	for _, body := range leakBodies {
		do("PUT", path, vendorToken, body)
		do("PUT", path, clientToken, body)
		do("PUT", path, vendorToken, body, "Content-Type", "c4nary/c4nary")
		do("PUT", path, vendorToken, body, "If-Match", "c4nary")
	}
	for _, token := range []string{vendorToken, clientToken, opsToken, stockSecret,
		w.mint(t, stockSecret, clientAccount)} {
		for _, query := range leakQueries {
			do("GET", "/installations"+query, token, "")
			do("GET", path+query, token, "")
		}
		do("DELETE", path, token, `{"reason":"c4nary"`)
	}
	for _, token := range []string{"c4nary", "idt:c4nary", "idt:TKN-0001-0001:c4nary",
		"eyJc4nary.c4nary.c4nary"} {
		do("GET", path, token, "")
	}
	invited, code := w.invite(t, stock)
	do("POST", "/installations/"+invited.ID+"/redeem", clientToken,
		`{"code":"`+code+`","modules":"`+code+`"}`)
	do("POST", "/installations/"+inst.ID+"/redeem", clientToken, redeemBody(code))
	do("POST", "/installations/"+invited.ID+"/redeem", clientToken, redeemBody("c4nary"))
	do("POST", "/installations/"+invited.ID+"/redeem", client2Token, redeemBody(code))
	do("POST", "/installations/"+invited.ID+"/redeem", client2Token, redeemBody(code))
	do("GET", "/installations/"+invited.ID, vendorToken, "")
	do("POST", "/installations", vendorToken, `{"extension":{"id":"c4nary"}`)
	failure := fmt.Errorf("c4nary: %w", errors.New("c4nary"))
	w.store.err.Store(&failure)
	do("GET", path, vendorToken, "").want(t, 500)
	w.store.err.Store(nil)

	if !strings.Contains(w.log.String(), "request failed") {
		t.Error("the failure was not logged")
	}
	fmt.Fprintln(&seen, w.log.String())
	fmt.Fprintf(&seen, "%+v %+v %#v\n", w.handler, w.issuer, w.issuer)
	data := directoryData()
	data.TokenSecrets["TKN-0001-0001"] = crypto.NewSecret("c4nary")
	_, err := static.New(data)
	fmt.Fprintln(&seen, err)
	noSecret(t, seen.String(), "c4nary", code, invited.Invitation.URL, signingKey)
	page, err := w.svc.Events(t.Context(), "", installation.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	noSecret(t, fmt.Sprintf("%+v", page.Events), "c4nary")
}

// noSecret fails for each line that contains one of the secrets.
func noSecret(t *testing.T, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		for line := range strings.Lines(text) {
			if strings.Contains(line, secret) {
				t.Errorf("a secret is in the line: %s", line)
			}
		}
	}
}

// quoting is a directory that fails as an HTTP client does, with the address that it asked.
type quoting struct {
	softwareone.Directory
	failing string // method
}

func (d quoting) fail(method, asked string) error {
	if method != d.failing {
		return nil
	}
	return &url.Error{Op: "Get", URL: "https://directory.example/?asked=" + asked + "&key=c4nary",
		Err: errors.Join(context.DeadlineExceeded, installation.ErrUnavailable)}
}

func (d quoting) Token(ctx context.Context, id string, secret crypto.Secret) (*softwareone.Token,
	error) {
	if err := d.fail("Token", secret.RevealString()); err != nil {
		return nil, err
	}
	return d.Directory.Token(ctx, id, secret)
}

func (d quoting) Secret(ctx context.Context, secret crypto.Secret) (string, error) {
	if err := d.fail("Secret", secret.RevealString()); err != nil {
		return "", err
	}
	return d.Directory.Secret(ctx, secret)
}

func (d quoting) Extension(ctx context.Context, id string) (*softwareone.Extension, error) {
	if err := d.fail("Extension", id); err != nil {
		return nil, err
	}
	return d.Directory.Extension(ctx, id)
}

func (d quoting) Owned(ctx context.Context, account string) ([]string, error) {
	if err := d.fail("Owned", account); err != nil {
		return nil, err
	}
	return d.Directory.Owned(ctx, account)
}

func (d quoting) Account(ctx context.Context, id string) (*softwareone.Account, error) {
	if err := d.fail("Account", id); err != nil {
		return nil, err
	}
	return d.Directory.Account(ctx, id)
}

// TestDirectoryErrorsInLog: an error of the directory may quote what it was asked, whatever it
// matches; the log says its kind and its types alone.
func TestDirectoryErrorsInLog(t *testing.T) {
	for _, tt := range []struct{ method, verb, token, path, body string }{
		{"Token", "GET", vendorToken, "", ""},
		{"Secret", "GET", stockSecret, "", ""},
		{"Account", "GET", clientToken, "", ""},
		{"Extension", "GET", stockSecret, "", ""},
		{"Extension", "POST", clientToken, "", installBody},
		{"Owned", "GET", vendorToken, "", ""},
		{"Account", "GET", opsToken, "?account.id=" + clientAccount, ""},
	} {
		w := newWorld(t, newMemory())
		directory := newDirectory(t)
		w.over(t, w.svc, quoting{directory, tt.method})
		w.do(t, tt.verb, "/installations"+tt.path, tt.token, tt.body).want(t, 503)
		if text := w.log.String(); strings.Contains(text, "c4nary") ||
			!strings.Contains(text, "by an error of type *url.Error") {
			t.Errorf("%s of %s logs %s", tt.verb, tt.method, text)
		}
		_, err := softwareone.Schemas(quoting{directory, "Extension"})(t.Context(), "",
			installation.Extension{ID: stock})
		if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "c4nary") {
			t.Errorf("schema: %v", err)
		}
		_, err = softwareone.Owners(quoting{directory, "Extension"})(t.Context(), "", stock)
		if err == nil || strings.Contains(err.Error(), "c4nary") {
			t.Errorf("owner: %v", err)
		}
	}
}
