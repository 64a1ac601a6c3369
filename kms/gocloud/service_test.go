package gocloud_test

import (
	"fmt"
	"slices"
	"testing"

	"gocloud.dev/secrets/localsecrets"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/kms/gocloud"
	"github.com/go-installation/installation/memstore"
)

// TestService uses an installation whose data key is wrapped by a key of a cloud.
func TestService(t *testing.T) {
	keeper := local(t)
	cache, err := crypto.NewCache(newKey(t, keeper), nil)
	if err != nil {
		t.Fatal(err)
	}
	store := memstore.New()
	svc, err := installation.New(store, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	document := installation.JSON(`{"secret":"s3cr3t"}`)
	parts := installation.Parts{
		Extension:     installation.Value(installation.Extension{ID: "EXT-1"}),
		Account:       installation.Value(installation.Account{ID: "ACC-1"}),
		Configuration: installation.Value(installation.Configuration{Document: document}),
	}
	_, err = host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	ref := installation.Ref("config/secret")
	answers, err := host.Reveal(t.Context(), installation.RevealRequest{
		ID: "i", Reason: "test", Refs: []installation.Ref{ref},
	})
	if err != nil || answers[0].Value.RevealString() != "s3cr3t" {
		t.Errorf("got %v, %v", answers, err)
	}
	unavailable := func(f health.Finding) bool { return f.Rule == "key-unavailable" }
	report, err := host.Check(t.Context())
	if err != nil || !report.OK() || slices.ContainsFunc(report.Findings, unavailable) {
		t.Errorf("check: %+v, %v", report, err)
	}
	if err := keeper.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Get(t.Context(), "i"); err != nil {
		t.Errorf("cached, and the key service is gone: %v", err)
	}
	report, err = host.Check(t.Context())
	if err != nil || !slices.ContainsFunc(report.Findings, unavailable) {
		t.Errorf("check without the key service: %+v, %v", report, err)
	}
}

func ExampleNew() {
	key, err := localsecrets.NewRandomKey() // a program opens a keeper of its cloud
	if err != nil {
		fmt.Println(err)
		return
	}
	keeper := localsecrets.NewKeeper(key)
	defer keeper.Close()

	kms, err := crypto.NewKMS("cloud1", gocloud.New(keeper), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := crypto.NewCache(kms, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	svc, err := installation.New(memstore.New(), keys, nil)
	fmt.Println(svc != nil, err)
	// Output: true <nil>
}
