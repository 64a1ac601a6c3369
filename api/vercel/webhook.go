package vercel

import (
	"bytes"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Vercel signs webhooks with HMAC-SHA1, which is safe as a MAC
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
)

// eventRemoved is the type of the event that a Webhook acts on.
const eventRemoved = "integration-configuration.removed"

// Webhook is the [http.Handler] of the events that Vercel posts. It serves any path. For an
// integration-configuration.removed event, it uninstalls the installation in the event, as DELETE
// does. The removal has happened then: after a [Refusal] of the Finalizer, the uninstall is not
// final. The event and DELETE can come in any order, concurrently and repeatedly. The Webhook
// acknowledges events of any other type, and events for unknown installations, and does nothing.
//
// Each event needs a signature: the x-vercel-signature header is the HMAC-SHA1 of the body under
// the client secret, in hexadecimal. The Webhook compares signatures in constant time. FIPS 140 no
// longer approves SHA-1, so a process under GODEBUG=fips140=only cannot have a Webhook.
type Webhook struct {
	api     *httpapi.API
	handler *Handler
	secret  crypto.Secret
}

// Webhook returns the handler for Vercel's events. secret is the client secret of the integration.
// Webhook fails if secret is empty or HMAC-SHA1 is not allowed; see [Webhook].
func (h *Handler) Webhook(secret crypto.Secret) (*Webhook, error) {
	switch {
	case secret.IsMasked(), secret.RevealString() == "":
		return nil, errors.New("vercel: Webhook: no client secret")
	case fips140.Enforced():
		return nil, errors.New(
			"vercel: Webhook: its HMAC-SHA1 is not allowed under GODEBUG=fips140=only")
	}
	w := &Webhook{api: httpapi.New(h.config), handler: h, secret: secret}
	w.api.Handle("/", httpapi.Methods{http.MethodPost: w.receive})
	return w, nil
}

// ServeHTTP implements [http.Handler].
func (w *Webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.api.ServeHTTP(rw, r) }

// receive acts on one event.
func (w *Webhook) receive(r *http.Request) (*httpapi.Answer, error) {
	body, err := httpapi.Body(r)
	if err != nil {
		return nil, err
	}
	if !w.signed(r.Header, body) {
		return nil, httpapi.Unauthorized("HMAC-SHA1", nil)
	}
	tree, err := httpapi.Parse(r.Header, body)
	switch {
	case err != nil && json.Valid(body) && !bytes.Contains(body, []byte(eventRemoved)):
		// Other events can quote anything, such as half of an emoji that a commit message ends in.
		return &httpapi.Answer{Body: struct{}{}}, nil
	case err != nil:
		return nil, err
	}
	e, err := httpapi.ReadNode(tree, readEvent)
	if err != nil {
		return nil, err
	}
	if e.kind == eventRemoved {
		err = w.remove(r, e)
	}
	return &httpapi.Answer{Body: struct{}{}}, err
}

// signed reports whether the header has the right signature of the body.
func (w *Webhook) signed(h http.Header, body []byte) bool {
	values := h.Values("X-Vercel-Signature")
	if len(values) != 1 {
		return false
	}
	given, err := hex.DecodeString(values[0])
	if err != nil {
		return false
	}
	key := w.secret.Reveal()
	defer clear(key)
	mac := hmac.New(sha1.New, key)
	_, _ = mac.Write(body) // never fails
	return hmac.Equal(given, mac.Sum(nil))
}

type event struct {
	kind         string
	created      time.Time // zero = not given
	installation string    // ID, of a removal only
}

func readEvent(in httpapi.Object) *event {
	e := &event{}
	if n := in.Node("type"); n != nil && n.Kind() == jsontree.String {
		e.kind = n.Text()
	}
	if n := in.Node("createdAt"); n != nil {
		if ms, err := strconv.ParseInt(n.Text(), 10, 64); err == nil {
			e.created = time.UnixMilli(ms)
		}
	}
	if e.kind == eventRemoved {
		// The events in a partner's tests have installationId instead, which is not documented.
		from, name := in.Object("payload").NullAsAbsent(), "installationId"
		if from.Has("configuration") || !from.Has(name) {
			from, name = from.Object("configuration"), "id"
		}
		e.installation = from.String(name)
		in.Violations().ID(from.Path(name), e.installation)
	}
	return e
}

// remove uninstalls the installation in a removal event. The signature shows that the event is from
// Vercel, so remove acts on installations of all accounts.
func (w *Webhook) remove(r *http.Request, e *event) error {
	svc := w.handler.svc.As(installation.Actor{Kind: installation.Platform})
	inst, err := svc.Get(r.Context(), e.installation)
	switch {
	case errors.Is(err, installation.ErrNotFound):
		return nil
	case inst == nil:
		return err
	}
	var guard installation.Guard
	if inst.Generation > 1 {
		// The host has installed again under this ID, so the event may be about an earlier
		// generation. A first generation needs no check: its removal does not depend on clocks.
		guard.InstalledBefore = e.created
	}
	removal := Removal{Installation: inst, Reason: eventRemoved, done: true}
	_, err = w.handler.uninstall(r.Context(), svc, removal, guard)
	if errors.Is(err, installation.ErrStale) || errors.Is(err, installation.ErrNotFound) {
		return nil
	}
	return err
}
