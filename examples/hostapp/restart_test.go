package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// end stops a hostapp and waits until it has ended.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	if status := <-r.status; status != 0 {
		t.Fatalf("ended with %d\n%s", status, r.log)
	}
}

// A restart with a file loses nothing: the installation is there, its secrets open, and the tokens
// of the first start still work. Only the first start creates the file with the tokens, and says
// so.
func TestRestartLosesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hostapp.db")
	args := []string{"-dev", "-store", "bolt:" + file}
	first := start(t, args...)
	for _, s := range softwareoneSteps(first) {
		expect(t, s.method, s.url, s.body, s.header, s.status, s.has)
	}
	first.end(t)
	if !strings.Contains(first.log.String(), file+".dev") {
		t.Errorf("the log does not name the new file:\n%s", first.log)
	}
	if info, err := os.Stat(file + ".dev"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, error %v, want a file that only its owner reads", info, err)
	}

	second := start(t, args...)
	if strings.Contains(second.log.String(), "created") {
		t.Errorf("the second start created something:\n%s", second.log)
	}
	got, want := *second.SoftwareOne, *first.SoftwareOne
	got.Base, want.Base = "", "" // the port differs
	if got != want || second.Ampersand.APIKey != first.Ampersand.APIKey ||
		second.Vercel.WebhookSecret != first.Vercel.WebhookSecret {
		t.Error("the second start has other tokens")
	}
	text := expect(t, "GET", second.SoftwareOne.Base+"/installations", "",
		bearer(first.SoftwareOne.ClientToken), http.StatusOK, `"total":1`)
	if !strings.Contains(text, "Installed") {
		t.Errorf("got %s, want the installation of the first start", text)
	}
	expect(t, "GET", "http://"+second.Addr+"/healthz", "", nil, http.StatusOK, `"ok"`)
	second.end(t)
}

// Without the file with its key, or with a file that is no such file, the program does not start
// and changes nothing.
func TestMissingDevSecretsAreNotReplaced(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "hostapp.db")
	start(t, "-dev", "-store", "bolt:"+file).end(t)
	secrets := file + ".dev"
	kept, err := os.ReadFile(secrets)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(why string) {
		t.Helper()
		var out, log bytes.Buffer
		status := program(t.Context(),
			[]string{"-addr", "127.0.0.1:0", "-dev", "-store", "bolt:" + file}, &out, &log)
		if status != 1 || !strings.Contains(log.String(), why) ||
			!strings.Contains(log.String(), secrets) {
			t.Errorf("status %d, log %q, want %q", status, &log, why)
		}
	}
	if err := os.Remove(secrets); err != nil {
		t.Fatal(err)
	}
	refused("with the key of its installations does not")
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("got files %v, error %v, want only the data", entries, err)
	}
	for _, text := range []string{"", "{}", "{", `{"Key":7}`} {
		if err := os.WriteFile(secrets, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refused("not what -dev wrote")
	}
	if err := os.WriteFile(secrets, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "-dev", "-store", "bolt:"+file).end(t)
}

// With the ID of data that is missing, -dev creates no key for it. A folder is no data either.
func TestDevWithMissingData(t *testing.T) {
	folder := t.TempDir()
	for name, args := range map[string][]string{
		"missing": {"-store", "bolt:" + filepath.Join(folder, "hostapp.db"), "-store-id", "some"},
		"folder":  {"-store", "bolt:" + folder},
	} {
		var out, log bytes.Buffer
		status := program(t.Context(), append(args, "-addr", "127.0.0.1:0", "-dev"), &out, &log)
		if status != 1 || strings.Contains(log.String(), "created") ||
			strings.Contains(log.String(), "has installations") {
			t.Errorf("%s: status %d, log %q", name, status, &log)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
			t.Errorf("%s: got files %v, error %v, want none", name, entries, err)
		}
	}
}

// With -keys, the key is not in the file of -dev.
func TestDevWithKeys(t *testing.T) {
	folder := t.TempDir()
	file, keys := filepath.Join(folder, "hostapp.db"), filepath.Join(folder, "keys")
	if err := os.WriteFile(keys, []byte(newKeys(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-dev", "-store", "bolt:" + file, "-keys", keys}
	start(t, args...).end(t)
	start(t, args...).end(t)
	var out, log bytes.Buffer
	status := program(t.Context(),
		[]string{"-addr", "127.0.0.1:0", "-dev", "-store", "bolt:" + file}, &out, &log)
	if status != 1 || !strings.Contains(log.String(), "-keys was given") {
		t.Errorf("status %d, log %q", status, &log)
	}
}
