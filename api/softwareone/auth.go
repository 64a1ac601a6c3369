package softwareone

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
)

// caller is who a bearer token speaks for.
type caller struct {
	account   *Account // nil for the secret of an extension
	extension string   // that asks itself, by its secret or by a token that is nobody's; "" = an account asks
	secret    bool     // by its secret
	actor     installation.Actor

	scope  []string // ids of the extensions it reaches; nil = every one
	within string   // id of the account that an extension is confined to; "" = none
}

// call is a request whose sender is known and may call the endpoint.
type call struct {
	*http.Request
	*caller
	id  string                // of the installation, from the path
	svc *installation.Service // as the sender
}

// endpoint lets those pass to run who have a valid identity: anyone if no types are given, else accounts of these types.
func (h *Handler) endpoint(run func(*call) (*httpapi.Answer, error), types ...AccountType) httpapi.Endpoint {
	return func(r *http.Request) (*httpapi.Answer, error) {
		who, err := h.authenticate(r)
		if err != nil {
			return nil, err
		}
		if len(types) > 0 && (who.extension != "" || !slices.Contains(types, who.account.Type)) {
			return nil, httpapi.Forbidden("This is for accounts, not for extensions.")
		}
		return run(&call{Request: r, caller: who, id: r.PathValue("id"), svc: h.svc.As(who.actor)})
	}
}

// tokenKind is a form of bearer tokens.
type tokenKind byte

const (
	extensionSecret tokenKind = iota
	apiToken
	jwtToken
)

// apiPrefix begins API tokens: idt:TKN-NNNN-NNNN:<secret>.
const apiPrefix = "idt:"

func kindOf(token string) tokenKind {
	switch {
	case strings.HasPrefix(token, apiPrefix):
		return apiToken
	case strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2: // "{" and a quote in base64
		return jwtToken
	default:
		return extensionSecret
	}
}

// authenticate returns the sender: 401 unless there is a good token.
func (h *Handler) authenticate(r *http.Request) (*caller, error) {
	token, ok := httpapi.Bearer(r)
	if !ok {
		return nil, httpapi.Unauthorized("Bearer", nil)
	}
	var who *caller
	var err error
	switch kindOf(token) {
	case apiToken:
		who, err = h.byAPIToken(r.Context(), token)
	case jwtToken:
		who, err = h.byJWT(r.Context(), token)
	default:
		who, err = h.bySecret(r.Context(), token)
	}
	switch {
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrToken):
		return nil, httpapi.Unauthorized(`Bearer error="invalid_token"`, err)
	case err != nil:
		return nil, httpapi.Failure(err)
	}
	return who, nil
}

func (h *Handler) byAPIToken(ctx context.Context, text string) (*caller, error) {
	id, secret, ok := strings.Cut(strings.TrimPrefix(text, apiPrefix), ":")
	if !ok || id == "" || secret == "" {
		return nil, h.issuer.rules.Reject("it is no API token")
	}
	t, err := h.directory.Token(ctx, id, crypto.NewSecret(secret))
	if err != nil {
		return nil, err
	}
	account, err := h.directory.Account(ctx, t.Account)
	if err != nil {
		return nil, err
	}
	who := &caller{account: account, scope: t.Extensions}
	return who.as(account.Type, installation.Reference{ID: t.ID, Name: t.Name, Icon: t.Icon}), nil
}

// bySecret is for the extension itself.
func (h *Handler) bySecret(ctx context.Context, text string) (*caller, error) {
	id, err := h.directory.Secret(ctx, crypto.NewSecret(text))
	if err != nil {
		return nil, err
	}
	if _, err := h.extension(ctx, id); err != nil {
		return nil, err
	}
	return &caller{extension: id, secret: true, scope: []string{id}, actor: installation.Actor{Kind: installation.ExtensionActor, ID: id}}, nil
}

// byJWT is for people, and for extensions that act for an account. The type of the account is the directory's, not the token's, which may have
// changed since. A token for an installation ends with it.
func (h *Handler) byJWT(ctx context.Context, text string) (*caller, error) {
	c, err := h.issuer.Verify(text)
	if err != nil {
		return nil, err
	}
	account, err := h.directory.Account(ctx, c.AccountID)
	if err != nil {
		return nil, err
	}
	if account.Type != c.AccountType {
		return nil, h.issuer.rules.Reject("the account is of another type")
	}
	who := &caller{account: account}
	user := installation.Reference{ID: c.UserID}
	if user.ID == "" {
		user.ID = c.APITokenID
	}
	if c.ExtensionID == "" {
		return who.as(account.Type, user), nil
	}
	ext, err := h.extension(ctx, c.ExtensionID)
	if err != nil {
		return nil, err
	}
	who.scope = []string{ext.ID}
	if c.InstallationID != "" {
		inst, err := h.host().Get(ctx, c.InstallationID)
		switch {
		case errors.Is(err, installation.ErrNotFound), errors.Is(err, installation.ErrInvalid):
			return nil, h.issuer.rules.Reject("there is no such installation")
		case err != nil:
			return nil, err
		case inst.Status != installation.StatusInstalled || inst.Extension.ID != ext.ID || inst.Account.ID != account.ID:
			return nil, h.issuer.rules.Reject("it is not installed there any more")
		}
	}
	if user.ID != "" {
		return who.as(account.Type, user), nil // somebody who uses the extension
	}
	// The extension alone, also with a token for its owner's account: its secret must not grow into the powers of the vendor.
	who.extension = ext.ID
	if ext.Owner != account.ID {
		who.within = account.ID
	}
	who.actor = installation.Actor{Kind: installation.ExtensionActor, ID: ext.ID}
	return who, nil
}

// as makes the caller the actor that an account of a type is.
func (c *caller) as(t AccountType, user installation.Reference) *caller {
	switch t {
	case Client:
		c.actor = installation.Actor{Kind: installation.Customer, ID: c.account.ID, User: user}
	case Vendor:
		c.actor = installation.Actor{Kind: installation.Vendor, ID: c.account.ID, User: user}
	case Operations:
		c.actor = installation.Actor{Kind: installation.Platform, User: user}
	}
	return c
}

// customer is the caller as one who has something installed in its account.
func (c *caller) customer() installation.Actor {
	return installation.Actor{Kind: installation.Customer, ID: c.account.ID, User: c.actor.User}
}

// reaches reports whether an extension is within the scope of the token.
func (c *caller) reaches(extension string) bool {
	return c.scope == nil || slices.Contains(c.scope, extension)
}

// sees reports whether the row is one that exists for the caller. Of a vendor, owned says whether the extension of the row is its own; beside the
// rows of those it sees what is installed in its account.
func (c *caller) sees(inst *installation.Installation, owned bool) bool {
	if !c.reaches(inst.Extension.ID) || c.within != "" && c.within != inst.Account.ID {
		return false
	}
	if c.actor.Kind == installation.Vendor {
		return owned || inst.Account.ID == c.account.ID
	}
	return Policy(c.actor, installation.ActionSee, inst)
}

// owns reports whether an extension is the caller's now, whoever was the owner when something was installed. One that the directory does not know
// is nobody's.
func (h *Handler) owns(c *call, extension string) (bool, error) {
	if c.actor.Kind != installation.Vendor {
		return false, nil
	}
	ext, err := h.directory.Extension(c.Context(), extension)
	switch {
	case errors.Is(err, ErrUnknown):
		return false, nil
	case err != nil:
		return false, httpapi.Failure(err)
	}
	return ext.Owner == c.account.ID, nil
}

// extension returns an extension that is in use.
func (h *Handler) extension(ctx context.Context, id string) (*Extension, error) {
	ext, err := h.directory.Extension(ctx, id)
	if err == nil && ext.Status == Deleted {
		return nil, ErrUnknown
	}
	return ext, err
}

// host is the service as the program that the handler is part of.
func (h *Handler) host() *installation.Service {
	return h.svc.As(installation.Actor{Kind: installation.Host})
}
