package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/installationtest"
)

// The page has a command for each platform that is served, and for no other.
func TestPageHasACommandPerPlatform(t *testing.T) {
	r := start(t, "-dev")
	_, text := ask(t, "GET", "http://"+r.Addr+"/", "")
	for _, want := range []string{r.Vercel.Base, r.SoftwareOne.Base, r.Ampersand.Base,
		r.SoftwareOne.VendorToken, r.Ampersand.APIKey, "curl"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
}

// TestPageListsInstallations installs on each platform, and finds the installations on the page
// with their last events. Their secrets and documents are not there.
func TestPageListsInstallations(t *testing.T) {
	r := start(t, "-dev")
	_, text := ask(t, "GET", "http://"+r.Addr+"/", "")
	if got := strings.Count(text, "There are none yet."); got != 3 {
		t.Errorf("at first, %d lists are empty, want 3:\n%s", got, text)
	}
	for _, s := range slices.Concat(vercelSteps(t, r), softwareoneSteps(r), ampersandSteps(r)) {
		if status, text := ask(t, s.method, s.url, s.body, s.header...); status != s.status {
			t.Fatalf("%s %s: %d %s, want %d", s.method, s.url, status, text, s.status)
		}
	}
	_, text = ask(t, "GET", "http://"+r.Addr+"/", "")
	for _, want := range []string{
		"icfg_9aXw3LmQ7vBn2TzK5rYd8PcH</code>", "Last event: updated, ", // the plan was changed
		"Stock Sync</strong> for Harbor Foods", "Status: installed. Health: unknown. Last event: ",
		"</strong> for Harbor Foods", "Status: installed. Health: healthy. Last event: created, ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page:\n%s", want, text)
		}
	}
	for _, secret := range []string{"tok-made-up", "access_token__c", "iris@"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is on the page", secret)
		}
	}
}

// TestListingIsBounded has more installations than the page shows, and more events than it reads.
func TestListingIsBounded(t *testing.T) {
	svc, _ := installationtest.New(t, nil)
	host := svc.In("tenant-1").As(installation.Actor{Kind: installation.Host})
	for i := range maxListed + 1 {
		req := installation.UpsertRequest{ID: fmt.Sprintf("inst_%02d", i)}
		req.Extension = installation.Value(installation.Extension{ID: "extension-1"})
		req.Account = installation.Value(installation.Account{ID: req.ID})
		if _, err := host.Upsert(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	l := &listing{}
	if err := l.add(t.Context(), svc, "tenant-1"); err != nil {
		t.Fatal(err)
	}
	if len(l.Rows) != maxListed || !l.More || l.Partial || l.Rows[0].Event != event.Created {
		t.Errorf("%d rows, more %t, partial %t, %+v", len(l.Rows), l.More, l.Partial, l.Rows[0])
	}
	for limit, want := range map[int]bool{maxListed + 1: false, maxListed + 2: true} {
		ended, err := addEvents(t.Context(), host, nil, limit)
		if err != nil || ended != want {
			t.Errorf("limit %d: the log ended %t, %v; want %t", limit, ended, err, want)
		}
	}
}

// TestPages serves a folder, with Ampersand's API at the address that a page of its library needs.
func TestPages(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.js"), []byte("made up"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, "-dev", "-pages", dir)
	at := "http://" + r.Addr
	key := []string{"X-Api-Key", r.Ampersand.APIKey}
	expect(t, "GET", at+"/dev/pages/page.js", "", nil, 200, "made up")
	expect(t, "GET", at+"/v1/projects/"+r.Ampersand.ProjectID, "", key, 200, "harbor-app")

	plain := start(t, "-dev")
	expect(t, "GET", "http://"+plain.Addr+"/dev/pages/page.html", "", nil, 404, "")
	if status := program(t.Context(), []string{"-keys", "k", "-config", "c", "-pages", dir},
		os.Stderr, os.Stderr); status != 2 {
		t.Errorf("-pages without -dev: status %d, want 2", status)
	}
}
