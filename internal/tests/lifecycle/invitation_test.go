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

// An e-mail address is the same recipient in any letter case and with blanks around it. The
// invitation shows it as the inviter wrote it.
func TestInvitationIsForOneEmailAddress(t *testing.T) {
	w := fixture.NewWorld(t)
	const invited = " Ada.Lovelace@Shop.Example"
	res, err := w.Host.Invite(t.Context(), installation.InviteRequest{
		ID: "i", Recipient: invited,
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Get(t, "i").Invitation.Recipient; got != invited {
		t.Errorf("the recipient is shown as %q", got)
	}
	accept := func(recipient string) error {
		_, err := w.Customer.Accept(t.Context(), installation.AcceptRequest{
			ID: "i", Code: res.Code, Account: installation.Account{ID: "ACC-1"},
			Recipient: recipient,
		})
		return err
	}
	fixture.WantErr(t, "another", accept("ada@shop.example"), installation.ErrInvitation)
	if err := accept("ada.lovelace@shop.example "); err != nil {
		t.Errorf("the same address: %v", err)
	}
}
