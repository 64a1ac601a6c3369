package vercel

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what Vercel signs with
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// eventRemoved is the type of the event that a Webhook acts on.
const eventRemoved = "integration-configuration.removed"

// Webhook is the [http.Handler] of the events that Vercel posts, at whatever path the host registered. It uninstalls what
// integration-configuration.removed names, as DELETE would: before it, after it, at the same time and any number of times. Other events, and
// installations that are not there, it acknowledges.
//
// An event must be signed: x-vercel-signature is the HMAC-SHA1 of the raw body under the client secret, in hexadecimal, and is compared in
// constant time. SHA-1 is Vercel's choice and no longer approved, so that a process under GODEBUG=fips140=only cannot have a Webhook.
type Webhook struct {
	api     *httpapi.API
	handler *Handler
	secret  crypto.Secret
}

// Webhook returns the handler of events signed with the client secret of the integration. It fails without a secret, and where HMAC-SHA1 is not
// allowed; see [Webhook].
func (h *Handler) Webhook(secret crypto.Secret) (*Webhook, error) {
	switch {
	case secret.RevealString() == "":
		return nil, errors.New("vercel: Webhook: no client secret")
	case fips140.Enforced():
		return nil, errors.New("vercel: Webhook: its HMAC-SHA1 is not allowed under GODEBUG=fips140=only")
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
	if err != nil {
		return nil, err
	}
	e, err := readEvent(tree)
	if err != nil {
		return nil, err
	}
	if e.kind == eventRemoved {
		err = w.remove(r, e)
	}
	return &httpapi.Answer{Body: struct{}{}}, err
}

// signed compares the signature in the header with that of the body.
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

// event is what is read of an event.
type event struct {
	kind         string
	created      time.Time // zero = not said
	installation string    // id
}

// readEvent reads an event. Only of a removal is the payload looked at.
func readEvent(tree *jsontree.Node) (*event, error) {
	var l validate.List
	in := httpapi.ReadObject(tree, "", &l)
	e := &event{kind: in.String("type")}
	if n := in.Node("createdAt"); n != nil {
		if ms, err := strconv.ParseInt(n.Text(), 10, 64); err == nil {
			e.created = time.UnixMilli(ms)
		}
	}
	if e.kind == eventRemoved {
		configuration := in.Object("payload").Object("configuration")
		e.installation = configuration.String("id")
		l.ID(configuration.Path("id"), e.installation)
	}
	return e, l.Err()
}

// remove uninstalls for an event. The webhook speaks for all accounts of the integration: who knows the client secret is Vercel.
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
		// The host has installed it again, so the event may be of an earlier life. In a first life there is none to confuse it with, and clocks
		// that differ must not keep it alive.
		guard.InstalledBefore = e.created
	}
	_, err = w.handler.uninstall(r.Context(), svc, Removal{Installation: inst, Reason: eventRemoved}, guard)
	if errors.Is(err, installation.ErrStale) || errors.Is(err, installation.ErrNotFound) {
		return nil
	}
	return err
}
