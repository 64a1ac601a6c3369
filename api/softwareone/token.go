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

// mint makes a JWT for the calling extension, which has to use its secret. The JWT is for the
// account in the query, which has to have the extension installed. Without an account in the query,
// the JWT is for the account of the owner.
func (h *Handler) mint(c *call) (*httpapi.Answer, error) {
	if c.account != nil {
		return nil, httpapi.Forbidden("This is for the secret of an extension.")
	}
	if _, err := httpapi.Document(c.Request); err != nil {
		return nil, err // a valid body is ignored
	}
	accountID, err := readAccountID(c.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	ext, err := h.active(c.Context(), c.extension)
	if err != nil {
		return nil, httpapi.Failure(err)
	}
	claims := Claims{ExtensionID: ext.ID, AccountID: ext.Owner, Modules: make(map[string][]string)}
	// In the owner's account, an extension has all the modules that it asks for.
	consented := func(Module) bool { return true }
	if accountID != "" {
		inst, err := h.installedIn(c, accountID)
		if err != nil {
			return nil, err
		}
		claims.AccountID, claims.InstallationID = accountID, inst.ID
		consented = func(m Module) bool {
			return slices.ContainsFunc(inst.Consent.Modules, func(r installation.Reference) bool {
				return r.ID == m.ID
			})
		}
	}
	account, err := guard(h.directory.Account(c.Context(), claims.AccountID))
	switch {
	case errors.Is(err, ErrUnknown) && accountID != "":
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
	body := map[string]string{"token": token.RevealString()}
	return &httpapi.Answer{Status: http.StatusCreated, Body: body}, nil
}

// readAccountID returns the account ID in the query of mint, or "" if it names no account.
func readAccountID(raw string) (string, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return "", httpapi.Invalid("query", validate.RuleFormat, "cannot be read")
	}
	if ids := query["account.id"]; len(ids) > 1 || len(ids) == 1 && ids[0] == "" {
		return "", httpapi.Invalid("account.id", validate.RuleFormat,
			"must be the id of one account")
	}
	return query.Get("account.id"), nil
}

// installedIn returns the installation of the calling extension in an account.
func (h *Handler) installedIn(c *call, account string) (*installation.Installation, error) {
	req := installation.ListRequest{
		Extension: c.extension, Account: account,
		Status: []installation.Status{installation.StatusInstalled},
	}
	for inst, err := range h.asHost().All(c.Context(), req) {
		if errors.Is(err, installation.ErrInvalid) {
			break // the ID has a form that no account has
		}
		if err == nil {
			err = inst.Err
		}
		return inst, err
	}
	return nil, notInstalled()
}

func notInstalled() *httpapi.Problem {
	return httpapi.Reject(httpapi.CodeNotFound, "The extension is not installed for this account.")
}
