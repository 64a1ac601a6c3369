package softwareone_test

import (
	"strings"
	"testing"

	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/static"
)

// directoryData has the accounts, extensions and tokens of the tests.
func directoryData() static.Data {
	asked := []softwareone.Module{{ID: "MOD-0478", Actions: []string{"read", "write"}},
		{ID: "MOD-0112", Actions: []string{"read"}}}
	extension := func(
		id, name, owner string, status softwareone.ExtensionStatus,
	) softwareone.Extension {
		return softwareone.Extension{ID: id, Name: name, Icon: "/static/" + id + "/icon.png",
			Revision: 3, Status: status, Owner: owner, Modules: asked}
	}
	d := static.Data{
		Accounts: []softwareone.Account{
			{ID: vendorAccount, Name: "Tidewater Software", Icon: "/static/tidewater.png",
				Type: softwareone.AccountVendor, Status: "Enabled", Revision: 2},
			{ID: otherVendor, Name: "Granite Ledgers", Type: softwareone.AccountVendor,
				Status: "Enabled"},
			{ID: clientAccount, Name: "Harbor Foods", Type: softwareone.AccountClient,
				Status: "Enabled", Revision: 5},
			{ID: otherClient, Name: "Northwind Bikes", Type: softwareone.AccountClient,
				Status: "Enabled"},
			{ID: operations, Name: "Operations", Type: softwareone.AccountOperations,
				Status: "Enabled"},
		},
		Extensions: []softwareone.Extension{
			extension(stock, "Stock Sync", vendorAccount, softwareone.ExtensionPublic),
			extension(pilot, "Pilot", vendorAccount, softwareone.ExtensionPrivate),
			extension(draft, "Draft", vendorAccount, softwareone.ExtensionDraft),
			extension(gone, "Gone", vendorAccount, softwareone.ExtensionDeleted),
			extension(ledger, "Ledger", otherVendor, softwareone.ExtensionPublic),
			extension(paged, "Microsoft AI Cloud Partner", vendorAccount,
				softwareone.ExtensionPrivate),
		},
		TokenSecrets: make(map[string]crypto.Secret),
		ExtensionSecrets: map[string]crypto.Secret{stock: crypto.NewSecret(stockSecret),
			ledger: crypto.NewSecret(ledgerSecret)},
	}
	for _, t := range []struct {
		token, account string
		scope          []string
	}{
		{vendorToken, vendorAccount, nil}, {rivalToken, otherVendor, nil},
		{clientToken, clientAccount, nil}, {client2Token, otherClient, nil},
		{opsToken, operations, nil}, {noneToken, operations, []string{}},
		{ledgerToken, operations, []string{ledger}},
		{bothToken, operations, []string{stock, ledger}},
		{narrowToken, clientAccount, []string{ledger}},
		{pilotToken, vendorAccount, []string{pilot}},
	} {
		parts := strings.SplitN(t.token, ":", 3)
		d.Tokens = append(d.Tokens, softwareone.Token{ID: parts[1], Name: "token " + parts[1],
			Account: t.account, Extensions: t.scope})
		d.TokenSecrets[parts[1]] = crypto.NewSecret(parts[2])
	}
	return d
}

// newDirectory is the directory that most tests are on, after some changes.
func newDirectory(t testing.TB, change ...func(*static.Data)) *static.Directory {
	t.Helper()
	data := directoryData()
	for _, f := range change {
		f(&data)
	}
	d, err := static.New(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
