package softwareone

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
)

// caller is the sender of a request.
type caller struct {
	account   *Account // nil if the token is the secret of an extension
	extension string   // ID of the extension that calls for itself; "" = an account calls
	actor     installation.Actor

	scope    []string // IDs of the extensions that the token is for; nil = all
	confined string   // ID of the only account that an extension can access; "" = all
}

// call is a request with its authenticated caller.
type call struct {
	*http.Request
	*caller
	id  string                // of the installation in the path
	svc *installation.Service // acts as the caller
}

// endpoint returns an endpoint that authenticates the caller and calls run. If types are given, it
// rejects every caller that is not an account of one of these types.
func (h *Handler) endpoint(
	run func(*call) (*httpapi.Answer, error), types ...AccountType,
) httpapi.Endpoint {
	return func(r *http.Request) (*httpapi.Answer, error) {
		who, err := h.authenticate(r)
		if err != nil {
			return nil, err
		}
		allowed := who.extension == "" && slices.Contains(types, who.account.Type)
		if len(types) > 0 && !allowed {
			return nil, httpapi.Forbidden("This is for accounts, not for extensions.")
		}
		return run(&call{Request: r, caller: who, id: r.PathValue("id"), svc: h.svc.As(who.actor)})
	}
}

// apiPrefix begins an API token, which has the form idt:TKN-NNNN-NNNN:<secret>.
const apiPrefix = "idt:"

// authenticate returns the caller. Without a valid token, it returns a problem with status 401.
func (h *Handler) authenticate(r *http.Request) (*caller, error) {
	token, ok := httpapi.Bearer(r)
	if !ok {
		return nil, httpapi.Unauthorized("Bearer", nil)
	}
	find := h.bySecret
	switch {
	case strings.HasPrefix(token, apiPrefix):
		find = h.byAPIToken
	case strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2: // eyJ is {" in base64
		find = h.byJWT
	}
	who, err := find(r.Context(), token)
	if errors.Is(err, ErrUnknown) || errors.Is(err, ErrToken) {
		return nil, httpapi.InvalidToken(err)
	}
	return who, err
}

func (h *Handler) byAPIToken(ctx context.Context, text string) (*caller, error) {
	id, secret, ok := strings.Cut(strings.TrimPrefix(text, apiPrefix), ":")
	if !ok || id == "" || secret == "" {
		return nil, h.issuer.rules.Reject("it is no API token")
	}
	t, err := guard(h.directory.Token(ctx, id, crypto.NewSecret(secret)))
	if err != nil {
		return nil, err
	}
	account, err := guard(h.directory.Account(ctx, t.Account))
	if err != nil {
		return nil, err
	}
	user := installation.Reference{ID: t.ID, Name: t.Name, Icon: t.Icon}
	return &caller{account: account, scope: t.Extensions, actor: actorOf(account, user)}, nil
}

func (h *Handler) bySecret(ctx context.Context, text string) (*caller, error) {
	id, err := guard(h.directory.Secret(ctx, crypto.NewSecret(text)))
	if err != nil {
		return nil, err
	}
	if _, err := h.active(ctx, id); err != nil {
		return nil, err
	}
	return &caller{
		extension: id, scope: []string{id},
		actor: installation.Actor{Kind: installation.ExtensionActor, ID: id},
	}, nil
}

// byJWT returns the caller of a JWT, which is a person or an extension. It rejects a JWT whose
// account does not have the type in the JWT any more. It also rejects a JWT for an installation
// that has ended.
func (h *Handler) byJWT(ctx context.Context, text string) (*caller, error) {
	c, err := h.issuer.Verify(text)
	if err != nil {
		return nil, err
	}
	account, err := guard(h.directory.Account(ctx, c.AccountID))
	if err != nil {
		return nil, err
	}
	if account.Type != c.AccountType {
		return nil, h.issuer.rules.Reject("the account is of another type")
	}
	user := installation.Reference{ID: cmp.Or(c.UserID, c.APITokenID)}
	who := &caller{account: account, actor: actorOf(account, user)}
	if c.ExtensionID == "" {
		return who, nil
	}
	ext, err := h.active(ctx, c.ExtensionID)
	if err != nil {
		return nil, err
	}
	who.scope = []string{ext.ID}
	if c.InstallationID != "" {
		if err := h.checkInstalled(ctx, c); err != nil {
			return nil, err
		}
	}
	if user.ID != "" {
		return who, nil // a person who uses the extension
	}
	// The extension calls for itself, even with a token for the account of its owner. The secret of
	// an extension must not give it the rights of the vendor.
	who.extension = ext.ID
	if ext.Owner != account.ID {
		who.confined = account.ID
	}
	who.actor = installation.Actor{Kind: installation.ExtensionActor, ID: ext.ID}
	return who, nil
}

// checkInstalled rejects a token whose installation has ended.
func (h *Handler) checkInstalled(ctx context.Context, c *Claims) error {
	inst, err := h.asHost().Get(ctx, c.InstallationID)
	switch {
	case errors.Is(err, installation.ErrNotFound), errors.Is(err, installation.ErrInvalid):
		return h.issuer.rules.Reject("there is no such installation")
	case err != nil:
		return httpapi.Failure(err)
	case inst.Status != installation.StatusInstalled,
		inst.Extension.ID != c.ExtensionID, inst.Account.ID != c.AccountID:
		return h.issuer.rules.Reject("it is not installed there any more")
	}
	return nil
}

// actorOf returns the actor for a user or an API token of an account.
func actorOf(a *Account, user installation.Reference) installation.Actor {
	switch a.Type {
	case AccountClient:
		return installation.Actor{Kind: installation.Customer, ID: a.ID, User: user}
	case AccountVendor:
		return installation.Actor{Kind: installation.Vendor, ID: a.ID, User: user}
	case AccountOperations:
		return installation.Actor{Kind: installation.Platform, User: user}
	}
	return installation.Actor{}
}

// customer returns the actor of an account that installs something for itself.
func (c *caller) customer() installation.Actor {
	return installation.Actor{Kind: installation.Customer, ID: c.account.ID, User: c.actor.User}
}

// reaches reports whether an extension is within the scope of the token.
func (c *caller) reaches(extension string) bool {
	return c.scope == nil || slices.Contains(c.scope, extension)
}

// sees reports whether the caller is allowed to see an installation. owned is true if the caller is
// the vendor of its extension. A vendor also sees the installations in its own account.
func (c *caller) sees(inst *installation.Installation, owned bool) bool {
	if !c.reaches(inst.Extension.ID) || c.confined != "" && c.confined != inst.Account.ID {
		return false
	}
	if c.actor.Kind == installation.Vendor {
		return owned || inst.Account.ID == c.account.ID
	}
	return Policy(c.actor, installation.ActionSee, inst)
}

// owns reports whether the caller is a vendor that owns an extension now. Nobody owns an unknown
// extension.
func (h *Handler) owns(c *call, extension string) (bool, error) {
	if c.actor.Kind != installation.Vendor {
		return false, nil
	}
	ext, err := known(h.directory.Extension(c.Context(), extension))
	if err != nil {
		return false, httpapi.Failure(err)
	}
	return ext.Owner == c.account.ID, nil
}

// asHost returns the service for the handler's own work.
func (h *Handler) asHost() *installation.Service {
	return h.svc.As(installation.Actor{Kind: installation.Host})
}
