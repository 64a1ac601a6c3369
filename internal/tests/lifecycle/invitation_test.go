package lifecycle

import (
	"net/url"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// An invitation for one account cannot be accepted for another. An accept with only the id
// of the account keeps its other fields.
func TestInvitationIsForOneAccount(t *testing.T) {
	w := fixture.NewWorld(t)
	account := installation.Account{ID: "ACC-1", Name: "Harbor Foods"}
	res, err := w.Host.Invite(t.Context(), installation.InviteRequest{
		ID: "i",
		Parts: installation.Parts{
			Extension: fixture.Parts().Extension, Account: installation.Value(account),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.As("ACC-2").Accept(t.Context(), installation.AcceptRequest{
		ID: "i", Code: res.Code, Account: installation.Account{ID: "ACC-2"},
	})
	fixture.WantErr(t, "accept for another account", err, installation.ErrInvitation)
	got, err := w.Customer.Accept(t.Context(), installation.AcceptRequest{
		ID: "i", Code: res.Code, Account: installation.Account{ID: "ACC-1"},
	})
	if err != nil || got.Account.Name != "Harbor Foods" {
		t.Errorf("accepted: %+v, %v", got, err)
	}
}

// The accept URL has everything that Accept needs.
func TestAcceptURLHasWhatAcceptNeeds(t *testing.T) {
	w := fixture.NewWorld(t)
	u, err := url.Parse(w.Invite(t, "i").AcceptURL.RevealString())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("installation") != "i" || q.Get("tenant") != "tenant-1" ||
		q.Get("code") == "" || q.Get("lang") != "en" {
		t.Errorf("the query lacks a value; it has %d", len(q))
	}
}
