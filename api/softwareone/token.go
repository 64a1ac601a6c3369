package softwareone

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// wireToken is the answer to POST /installations/-/token.
type wireToken struct {
	Token string `json:"token"`
}

// mint makes a token for the extension whose secret asks: for an account that has it installed, or for its own.
func (h *Handler) mint(c *call) (*httpapi.Answer, error) {
	if !c.secret {
		return nil, httpapi.Forbidden("This is for the secret of an extension.")
	}
	if _, err := httpapi.Document(c.Request); err != nil {
		return nil, err // what a good body says does not matter
	}
	query, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, httpapi.Invalid("query", validate.RuleFormat, "cannot be read")
	}
	ext, err := h.extension(c.Context(), c.extension)
	if err != nil {
		return nil, httpapi.Failure(err)
	}
	claims := Claims{ExtensionID: ext.ID, AccountID: ext.Owner, Modules: make(map[string][]string)}
	consented := func(Module) bool { return true } // of itself an extension has all that it asks for
	switch ids := query["account.id"]; {
	case len(ids) > 1 || len(ids) == 1 && ids[0] == "":
		return nil, httpapi.Invalid("account.id", validate.RuleFormat, "must be the id of one account")
	case len(ids) == 1:
		inst, err := h.inForce(c, ids[0])
		if err != nil {
			return nil, err
		}
		claims.AccountID, claims.InstallationID = ids[0], inst.ID
		consented = func(m Module) bool {
			return slices.ContainsFunc(inst.Consent.Modules, func(r installation.Reference) bool { return r.ID == m.ID })
		}
	}
	account, err := h.directory.Account(c.Context(), claims.AccountID)
	switch {
	case errors.Is(err, ErrUnknown) && claims.InstallationID != "":
		return nil, notInstalled()
	case err != nil:
		return nil, httpapi.Failure(err)
	}
	claims.AccountType = account.Type
	for _, m := range ext.Modules {
		if consented(m) {
			claims.Modules[m.ID] = append([]string{}, m.Actions...)
		}
	}
	token, err := h.issuer.Mint(claims)
	if err != nil {
		return nil, httpapi.Internal(err)
	}
	return &httpapi.Answer{Status: http.StatusCreated, Body: wireToken{Token: token.RevealString()}}, nil
}

// inForce returns the installation of the calling extension in an account: 404 unless there is one.
func (h *Handler) inForce(c *call, account string) (*installation.Installation, error) {
	req := installation.ListRequest{Extension: c.extension, Account: account, Status: []installation.Status{installation.StatusInstalled}}
	for inst, err := range h.host().All(c.Context(), req) {
		if errors.Is(err, installation.ErrInvalid) {
			break // no account has such an id
		}
		if err == nil {
			err = inst.Err
		}
		return inst, err
	}
	return nil, notInstalled()
}

func notInstalled() *httpapi.Problem {
	return &httpapi.Problem{Status: http.StatusNotFound, Code: httpapi.CodeNotFound, Message: "The extension is not installed for this account."}
}
