package softwareone

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// post installs, or invites.
func (h *Handler) post(c *call) (*httpapi.Answer, error) {
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	in, err := readCreation(body)
	if err != nil {
		return nil, err
	}
	ext, err := h.offered(c, in.extension)
	if err != nil {
		return nil, err
	}
	if in.invitation != nil {
		return h.invite(c, ext, in)
	}
	return h.install(c, ext, in)
}

// offers reports whether the caller may do more with an extension than install it for its own account.
func (c *call) offers(ext *Extension) bool {
	return c.account.Type == Operations || c.account.Type == Vendor && c.account.ID == ext.Owner
}

// offered returns an extension that the caller may know of.
func (h *Handler) offered(c *call, id string) (*Extension, error) {
	ext, err := h.extension(c.Context(), id)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, httpapi.NotFound()
	case err != nil:
		return nil, httpapi.Failure(err)
	case !c.reaches(ext.ID), ext.Status != Public && !c.offers(ext):
		return nil, httpapi.NotFound()
	}
	return ext, nil
}

// install makes an installed row.
func (h *Handler) install(c *call, ext *Extension, in *creation) (*httpapi.Answer, error) {
	if ext.Status != Public {
		return nil, httpapi.Forbidden("This extension cannot be installed without an invitation.")
	}
	account, svc := c.account, h.svc.As(c.customer())
	if c.offers(ext) {
		svc = c.svc
	}
	if in.account != "" && in.account != account.ID {
		if !c.offers(ext) {
			return nil, httpapi.Forbidden("An extension is installed for the account of the caller.")
		}
		var err error
		if account, err = h.directory.Account(c.Context(), in.account); errors.Is(err, ErrUnknown) {
			return nil, httpapi.Invalid("account.id", validate.RuleUnknown, "unknown account")
		} else if err != nil {
			return nil, httpapi.Failure(err)
		}
	}
	consent, err := ext.consent(in.modules)
	if err != nil {
		return nil, err
	}
	res, err := h.fresh(func(guard installation.Guard, id string) (*installation.Result, error) {
		return svc.Upsert(c.Context(), installation.UpsertRequest{Guard: guard, ID: id, Parts: installation.Parts{
			Name: installation.Value(ext.Name), Extension: installation.Value(ext.domain()), Account: installation.Value(account.domain()),
			Consent: installation.Value(consent),
		}})
	})
	if err != nil {
		return nil, err
	}
	a := answer(res.Installation)
	a.Status = http.StatusCreated
	return a, nil
}

// invite makes an invited row and answers with its ticket.
func (h *Handler) invite(c *call, ext *Extension, in *creation) (*httpapi.Answer, error) {
	switch {
	case !c.offers(ext):
		return nil, httpapi.Forbidden("Only the vendor of the extension and operations may invite.")
	case ext.Status == Draft:
		return nil, httpapi.Forbidden("This extension is not published.")
	case in.account != "" && in.account != c.account.ID:
		return nil, httpapi.Invalid("account", validate.RuleExclusive, "an invitation is for whoever redeems it")
	}
	inviter := wireAccountOf(c.account)
	beside, err := installation.DocumentOf(extra{Inviter: &inviter})
	if err != nil {
		return nil, err
	}
	res, err := h.fresh(func(guard installation.Guard, id string) (*installation.Result, error) {
		return c.svc.Invite(c.Context(), installation.InviteRequest{
			Guard: guard, ID: id, Message: in.invitation.message, ExternalID: in.invitation.externalID, Validity: in.invitation.validity,
			Parts: installation.Parts{
				Name: installation.Value(ext.Name), Extension: installation.Value(ext.domain()), Extra: installation.Value(beside),
			},
		})
	})
	if err != nil {
		return nil, err
	}
	w := wireOf(res.Installation)
	w.Invitation.URL, w.Invitation.Code = ticket(res.ID, res.Code), res.Code.RevealString()
	return &httpapi.Answer{Status: http.StatusCreated, Body: w, Revision: res.Revision}, nil
}

func wireAccountOf(a *Account) wireAccount {
	return wireAccount{ID: a.ID, Name: a.Name, Icon: a.Icon, Type: string(a.Type), Status: a.Status, Revision: a.Revision}
}

// ticket is what the invited hands in: which installation, and the code.
func ticket(id string, code crypto.Secret) string {
	b, _ := json.Marshal(struct {
		InstallationID string `json:"installationId"`
		Code           string `json:"code"`
	}{id, code.RevealString()}) // strings always have a JSON form
	return base64.RawURLEncoding.EncodeToString(b)
}

// maxMints is how often an id may be taken before something is wrong with chance.
const maxMints = 8

// fresh makes a row under an id that no other row has. One that has it shows as [installation.ErrNotFound] if it is not the caller's to see.
func (h *Handler) fresh(create func(guard installation.Guard, id string) (*installation.Result, error)) (*installation.Result, error) {
	for range maxMints {
		id := h.newID()
		res, err := create(installation.Guard{Absent: true}, id)
		exists, ok := errors.AsType[*installation.ExistsError](err)
		if ok && exists.Holder == id || errors.Is(err, installation.ErrNotFound) {
			continue
		}
		return res, err
	}
	return nil, errMint
}

// errMint says that no free id was found.
var errMint = errors.New("softwareone: every id that was drawn is taken")

// newID returns EXI- and twelve random digits.
func newID() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1e12)) // never fails since Go 1.24
	return fmt.Sprintf("EXI-%04d-%04d-%04d", n.Int64()/1e8, n.Int64()/1e4%1e4, n.Int64()%1e4)
}
