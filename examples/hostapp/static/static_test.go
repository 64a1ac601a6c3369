package static_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/static"
)

const (
	vendor, client = "ACC-0001", "ACC-0002"
	stock, ledger  = "EXT-0001", "EXT-0002"

	tokenID, tokenSecret = "TKN-0001", "a made-up token secret"
	stockSecret          = "a made-up extension secret"
)

func data() static.Data {
	return static.Data{
		Accounts: []softwareone.Account{
			{ID: vendor, Type: softwareone.AccountVendor},
			{ID: client, Type: softwareone.AccountClient},
		},
		Extensions: []softwareone.Extension{
			{ID: stock, Owner: vendor, Status: softwareone.ExtensionPublic},
			{ID: ledger, Owner: vendor, Status: softwareone.ExtensionDeleted},
		},
		Tokens:           []softwareone.Token{{ID: tokenID, Account: client}},
		TokenSecrets:     map[string]crypto.Secret{tokenID: crypto.NewSecret(tokenSecret)},
		ExtensionSecrets: map[string]crypto.Secret{stock: crypto.NewSecret(stockSecret)},
	}
}

func TestNewRejectsBadData(t *testing.T) {
	secret := func(id, text string) func(*static.Data) {
		return func(d *static.Data) { d.ExtensionSecrets[id] = crypto.NewSecret(text) }
	}
	for name, spoil := range map[string]func(d *static.Data){
		"an account twice": func(d *static.Data) {
			d.Accounts = append(d.Accounts, d.Accounts[0])
		},
		"an account without ID":   func(d *static.Data) { d.Accounts[0].ID = "" },
		"an account without type": func(d *static.Data) { d.Accounts[0].Type = "" },
		"an extension twice": func(d *static.Data) {
			d.Extensions = append(d.Extensions, d.Extensions[0])
		},
		"no owner":              func(d *static.Data) { d.Extensions[0].Owner = "ACC-0" },
		"no status":             func(d *static.Data) { d.Extensions[0].Status = "public" },
		"a token twice":         func(d *static.Data) { d.Tokens = append(d.Tokens, d.Tokens[0]) },
		"a token of nobody":     func(d *static.Data) { d.Tokens[0].Account = "ACC-0" },
		"no secret":             func(d *static.Data) { delete(d.TokenSecrets, tokenID) },
		"a short secret":        secret(stock, "fifteen bytes.."),
		"an unknown extension":  secret("EXT-0", "sixteen bytes..."),
		"one secret for two":    secret(ledger, stockSecret),
		"a secret like a token": secret(stock, "idt:TKN-0001-0001:x"),
		"a secret like a JWT":   secret(stock, "eyJhbGciOi.eyJpc3.abc"),
	} {
		bad := data()
		spoil(&bad)
		if d, err := static.New(bad); err == nil || d != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLookups(t *testing.T) {
	d, err := static.New(data())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	token, err := d.Token(ctx, tokenID, crypto.NewSecret(tokenSecret))
	if err != nil || token.Account != client {
		t.Errorf("%+v, %v", token, err)
	}
	for id, secret := range map[string]string{
		tokenID: "a made-up token secreu", "TKN-0": "", "": "",
	} {
		token, err := d.Token(ctx, id, crypto.NewSecret(secret))
		if !errors.Is(err, softwareone.ErrUnknown) || token != nil {
			t.Errorf("%s: %+v, %v", id, token, err)
		}
	}
	if id, err := d.Secret(ctx, crypto.NewSecret(stockSecret)); err != nil || id != stock {
		t.Errorf("%s, %v", id, err)
	}
	if _, err := d.Secret(ctx, crypto.Secret{}); !errors.Is(err, softwareone.ErrUnknown) {
		t.Error(err)
	}
	for account, owned := range map[string][]string{
		vendor: {stock, ledger}, client: nil, "ACC-0": nil,
	} {
		if got, err := d.Owned(ctx, account); !slices.Equal(got, owned) || err != nil {
			t.Errorf("%s owns %q, %v", account, got, err)
		}
	}
}
