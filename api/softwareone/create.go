package softwareone

import (
	"cmp"
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

// post installs an extension, or makes an invitation if the body has one.
func (h *Handler) post(c *call) (*httpapi.Answer, error) {
	in, err := httpapi.Read(c.Request, readCreation)
	if err != nil {
		return nil, err
	}
	ext, err := h.offered(c, in.Extension.ID)
	if err != nil {
		return nil, err
	}
	if in.Invitation != nil {
		return h.invite(c, ext, in)
	}
	return h.install(c, ext, in)
}

// offers reports whether the caller is allowed to install an extension for other accounts, and to
// make invitations to the extension.
func (c *call) offers(ext *Extension) bool {
	return c.account.Type == AccountOperations ||
		c.account.Type == AccountVendor && c.account.ID == ext.Owner
}

// offered returns the extension with an ID. If the extension does not exist, or the caller is not
// allowed to know of it, offered returns a problem with status 404.
func (h *Handler) offered(c *call, id string) (*Extension, error) {
	ext, err := h.reachable(c, id)
	hidden := err == nil && ext.Status != ExtensionPublic && !c.offers(ext)
	if hidden || errors.Is(err, ErrUnknown) {
		return nil, httpapi.NotFound()
	}
	return ext, err
}

// install installs an extension for one account, without an invitation.
func (h *Handler) install(c *call, ext *Extension, in *Installation) (*httpapi.Answer, error) {
	if ext.Status != ExtensionPublic {
		return nil, httpapi.Forbidden("This extension cannot be installed without an invitation.")
	}
	svc := c.svc
	if !c.offers(ext) {
		svc = h.svc.As(c.customer())
	}
	account, err := h.installee(c, ext, in.Account.ID)
	if err != nil {
		return nil, err
	}
	consent, err := ext.consent(in.Modules)
	if err != nil {
		return nil, err
	}
	res, err := h.withNewID(func(g installation.Guard, id string) (*installation.Result, error) {
		return svc.Upsert(c.Context(), installation.UpsertRequest{
			Guard: g, ID: id, Parts: installation.Parts{
				Name: installation.Value(ext.Name), Extension: installation.Value(ext.domain()),
				Account: installation.Value(account.domain()), Consent: installation.Value(consent),
			},
		})
	})
	if err != nil {
		return nil, err
	}
	a := answer(res.Installation)
	a.Status = http.StatusCreated
	return a, nil
}

// installee returns the account to install for. An empty ID means the account of the caller.
func (h *Handler) installee(c *call, ext *Extension, id string) (*Account, error) {
	if id == "" || id == c.account.ID {
		return c.account, nil
	}
	if !c.offers(ext) {
		return nil, httpapi.Forbidden("An extension is installed for the account of the caller.")
	}
	account, err := guard(h.directory.Account(c.Context(), id))
	if errors.Is(err, ErrUnknown) {
		return nil, httpapi.Invalid("account.id", validate.RuleUnknown, "unknown account")
	}
	return account, err
}

// invite makes an installation with the status Invited. The answer has the code, and a URL with it:
// where to accept the invitation, or a ticket if the service has no Options.AcceptURL.
func (h *Handler) invite(c *call, ext *Extension, in *Installation) (*httpapi.Answer, error) {
	switch {
	case !c.offers(ext):
		return nil, httpapi.Forbidden("Only the vendor of the extension and operations may invite.")
	case ext.Status == ExtensionDraft:
		return nil, httpapi.Forbidden("This extension is not published.")
	case in.Account.ID != "" && in.Account.ID != c.account.ID:
		return nil, httpapi.Invalid("account", validate.RuleExclusive,
			"an invitation is for whoever redeems it")
	}
	inviter := accountReference(c.account.domain())
	extraPart, _ := installation.DocumentOf(extra{Inviter: &inviter}) // can always be encoded
	res, err := h.withNewID(func(g installation.Guard, id string) (*installation.Result, error) {
		return c.svc.Invite(c.Context(), installation.InviteRequest{
			Guard: g, ID: id, Message: in.Invitation.Message, ExternalID: in.Invitation.ExternalID,
			Validity: installation.Period(in.Invitation.Validity.Period),
			Parts: installation.Parts{
				Name: installation.Value(ext.Name), Extension: installation.Value(ext.domain()),
				Extra: installation.Value(extraPart),
			},
		})
	})
	if err != nil {
		return nil, err
	}
	w := InstallationOf(res.Installation)
	w.Invitation.Code = res.Code.RevealString()
	w.Invitation.URL = cmp.Or(res.AcceptURL.RevealString(), ticket(res.ID, res.Code))
	return &httpapi.Answer{Status: http.StatusCreated, Body: w, Revision: res.Revision}, nil
}

// ticket returns the text to pass on to the account that is invited. It has the ID of the
// installation and the code, which the account needs to redeem the invitation.
func ticket(id string, code crypto.Secret) string {
	b, _ := json.Marshal(map[string]string{ // strings can always be encoded
		"installationId": id, "code": code.RevealString(),
	})
	return base64.RawURLEncoding.EncodeToString(b)
}

// maxIDs is the number of new IDs to try. If all of them are taken, something is broken.
const maxIDs = 8

// errNoFreeID means that no free ID was found.
var errNoFreeID = errors.New("softwareone: every id that was drawn is taken")

// withNewID calls create with new IDs until it finds one that no other installation has. For an ID
// that is taken, create returns an [installation.ExistsError], or [installation.ErrNotFound] if the
// caller is not allowed to see the other installation.
func (h *Handler) withNewID(
	create func(guard installation.Guard, id string) (*installation.Result, error),
) (*installation.Result, error) {
	for range maxIDs {
		id := h.newID()
		res, err := create(installation.Guard{Absent: true}, id)
		exists, ok := errors.AsType[*installation.ExistsError](err)
		taken := ok && exists.Holder == id || errors.Is(err, installation.ErrNotFound)
		if !taken {
			return res, err
		}
	}
	return nil, errNoFreeID
}

// newID returns a random ID of an installation, such as EXI-1234-5678-9012.
func newID() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1e12)) // never fails since Go 1.24
	return fmt.Sprintf("EXI-%04d-%04d-%04d", n.Int64()/1e8, n.Int64()/1e4%1e4, n.Int64()%1e4)
}
