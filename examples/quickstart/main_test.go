package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
)

var update = flag.Bool("update", false, "write the golden file")

// run runs the program on a store.
func run(t *testing.T, store installation.Store) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	status = program(t.Context(), store, &out, &errs)
	return status, out.String(), errs.String()
}

func TestTranscriptMatchesGoldenFile(t *testing.T) {
	const golden = "testdata/transcript.golden"
	status, got, stderr := run(t, memstore.New())
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, standard error %q", status, stderr)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the transcript differs from %s (-want +got):\n%s", golden, diff)
	}
}

// The transcript is the same on every store.
func TestTranscriptIsTheSame(t *testing.T) {
	_, want, _ := run(t, memstore.New())
	for name, where := range map[string]func(t *testing.T) string{
		"file": func(t *testing.T) string {
			return "bolt:" + filepath.Join(t.TempDir(), "new.db")
		},
		"redis": func(t *testing.T) string { return "redis://" + redistest.Start(t).Addr },
	} {
		t.Run(name, func(t *testing.T) {
			store, err := newStore(t.Context(), where(t))
			if err != nil {
				t.Fatal(err)
			}
			status, got, stderr := run(t, store)
			if status != 0 || stderr != "" {
				t.Fatalf("status %d, standard error %q", status, stderr)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the transcript (-memory +%s):\n%s", name, diff)
			}
		})
	}
}

// A file that exists is not used, and a URL is not shown: it can have a password.
func TestStoreIsRejected(t *testing.T) {
	file := filepath.Join(t.TempDir(), "old.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for where, why := range map[string]string{
		"bolt:" + file: "the file exists", "hunter2://": "is not memory", "": "is not memory",
	} {
		_, err := newStore(t.Context(), where)
		if err == nil || !strings.Contains(err.Error(), why) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got error %v, want one with %q", where, err, why)
		}
	}
}

func TestNoSecretInTranscript(t *testing.T) {
	var secrets []string
	for _, payload := range [][]byte{
		ampersandPayload, vercelRequestPayload, vercelResponsePayload, softwareonePayload,
	} {
		var doc any
		if err := json.Unmarshal(payload, &doc); err != nil {
			t.Fatal(err)
		}
		collect("", doc, &secrets)
	}
	if len(secrets) != 6 {
		t.Fatalf("found %d secrets in the payloads, want 6", len(secrets))
	}
	_, out, _ := run(t, memstore.New())
	revealed := 0
	for line := range strings.Lines(out) {
		for _, secret := range secrets {
			switch {
			case !strings.Contains(line, secret):
			case strings.Contains(line, "revealed"):
				revealed++
			default:
				t.Errorf("a secret is in the line %q", line)
			}
		}
		if strings.Contains(line, "inv_") {
			t.Errorf("an invitation code is in the line %q", line)
		}
	}
	if revealed != 2 {
		t.Errorf("%d lines reveal a secret, want 2", revealed)
	}
}

// collect appends every string whose member name marks it as a secret. It does
// not use the rules of the library for that.
func collect(name string, v any, secrets *[]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			collect(name, member, secrets)
		}
	case []any:
		for _, item := range v {
			collect(name, item, secrets)
		}
	case string:
		switch name {
		case "token", "apiKey", "access_token", "adobe_secret", "mpt_token":
			*secrets = append(*secrets, v)
		}
	}
}

// forgetful is a store that loses the outcomes of idempotency keys.
type forgetful struct{ installation.Store }

func (s forgetful) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	c.Idempotency = nil
	return s.Store.Commit(ctx, c)
}

// failing is a store that rejects every commit.
type failing struct{ installation.Store }

func (failing) Commit(context.Context, installation.Change) (installation.Receipt, error) {
	return installation.Receipt{}, installation.ErrUnavailable
}

func TestWrongStepFails(t *testing.T) {
	for _, tt := range []struct {
		name  string
		store installation.Store
		want  string
	}{
		{"a claim is false", forgetful{memstore.New()},
			"step 3: not so: the answer is the first one again, marked Replayed"},
		{"a call fails", failing{memstore.New()},
			"step 1: upsert 0d6c2b1e-58f4-4b7a-9c35-7e1a90d2f846: installation: store unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out, stderr := run(t, tt.store)
			if status == 0 {
				t.Error("status 0, want a failure")
			}
			if !strings.Contains(stderr, tt.want) {
				t.Errorf("standard error is %q, want %q in it", stderr, tt.want)
			}
			if strings.Contains(out, "did what they say") {
				t.Error("the transcript reports success")
			}
		})
	}
}

func TestCheckRemembersFailure(t *testing.T) {
	tr := &transcript{out: io.Discard}
	tr.check(false, "one")
	tr.check(true, "two")
	if err := tr.err(); err == nil || !strings.Contains(err.Error(), "not so: one") {
		t.Errorf("err() = %v, want the claim that failed", err)
	}
}
