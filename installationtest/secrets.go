package installationtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/go-installation/installation"
)

// MinSecret is the length, in bytes, of the shortest secret that NoSecrets looks for. Shorter ones are in any text by chance.
const MinSecret = 6

// NoSecrets fails the test if a secret of an installation is in any of the outputs: as it is, in base64 or hexadecimal, or escaped for a
// URL, JSON, HTML or Go. svc must be one that may reveal; the tenant is that of svc. Revealing is recorded in the change log.
//
// An output may be a string, bytes, or any other value, which is then printed and encoded as JSON. The failure names the secret and the
// number of the output, and does not show either.
//
// An installation without secrets, and a secret shorter than [MinSecret], fail the test as well: there would be nothing that it showed.
func NoSecrets(tb testing.TB, svc *installation.Service, id string, outputs ...any) {
	tb.Helper()
	secrets, err := reveal(svc, id)
	if err != nil {
		tb.Fatalf("installationtest: the secrets of %s: %v", id, err)
	}
	if len(secrets) == 0 {
		tb.Errorf("installationtest: %s has no secrets that could be looked for", id)
	}
	texts := make([][]string, len(outputs))
	for i, output := range outputs {
		texts[i] = render(output)
	}
	for _, s := range secrets {
		text := s.Value.RevealString()
		if len(text) < MinSecret {
			tb.Errorf("installationtest: %s is too short to be looked for: give it at least %d bytes", s.Ref, MinSecret)
			continue
		}
		for i, rendered := range texts {
			if form := find(text, rendered); form != "" {
				tb.Errorf("installationtest: output %d has the secret %s (%s)", i, s.Ref, form)
			}
		}
	}
}

// reveal returns all secrets of an installation.
func reveal(svc *installation.Service, id string) ([]installation.Revealed, error) {
	ctx := context.Background() // not that of the test: this may run in a cleanup, when that has ended
	i, err := svc.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	var all []installation.Revealed
	for refs := i.Sealed; len(refs) > 0; {
		n := min(len(refs), installation.MaxReveal)
		some, err := svc.Reveal(ctx, installation.RevealRequest{ID: id, Refs: refs[:n], Reason: "installationtest.NoSecrets"})
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			if s.Err != nil {
				return nil, fmt.Errorf("%s: %w", s.Ref, s.Err)
			}
		}
		all, refs = append(all, some...), refs[n:]
	}
	return all, nil
}

// render returns an output as the texts that are searched.
func render(output any) []string {
	switch v := output.(type) {
	case string:
		return []string{v}
	case []byte:
		return []string{string(v)}
	case json.RawMessage:
		return []string{string(v)}
	case *bytes.Buffer:
		return []string{v.String()}
	}
	texts := []string{fmt.Sprintf("%v", output), fmt.Sprintf("%+v", output), fmt.Sprintf("%#v", output), fmt.Sprintf("%s", output)}
	if encoded, err := json.Marshal(output); err == nil {
		texts = append(texts, string(encoded))
	}
	return texts
}

// find returns the name of the form in which a secret is in one of the texts, or "".
func find(secret string, texts []string) string {
	for _, text := range texts {
		lower := strings.ToLower(text)
		for _, f := range forms(secret) {
			if strings.Contains(text, f.text) || f.fold && strings.Contains(lower, strings.ToLower(f.text)) {
				return f.name
			}
		}
	}
	return ""
}

// form is a way to write a secret.
type form struct {
	name, text string
	fold       bool // in either letter case
}

func forms(secret string) []form {
	quoted, _ := json.Marshal(secret) // a string always marshals
	list := []form{
		{"as it is", secret, false},
		{"hexadecimal", hex.EncodeToString([]byte(secret)), true},
		{"hexadecimal with spaces", fmt.Sprintf("% x", secret), true},
		{"list of bytes", strings.Trim(fmt.Sprint([]byte(secret)), "[]"), false},
		{"escaped for a URL query", url.QueryEscape(secret), true},
		{"escaped for a URL path", url.PathEscape(secret), true},
		{"escaped for JSON", strings.Trim(string(quoted), `"`), true},
		{"escaped for Go", strings.Trim(strconv.Quote(secret), `"`), false},
		{"escaped for Go in ASCII", strings.Trim(strconv.QuoteToASCII(secret), `"`), false},
		{"escaped for HTML", html.EscapeString(secret), false},
	}
	// In base64 a text looks different at each of three offsets. The characters at either end hold bits of the neighbours too.
	for offset := range 3 {
		padded := append(make([]byte, offset), secret...)
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 for URLs": base64.RawURLEncoding} {
			encoded := encoding.EncodeToString(padded)
			whole := len(padded) / 3 * 4
			list = append(list, form{name, encoded[(offset*8+5)/6 : whole], false})
		}
	}
	return list
}
