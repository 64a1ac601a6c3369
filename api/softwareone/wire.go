package softwareone

import (
	"cmp"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// Installation is the installation object of the platform, in its JSON. [InstallationOf] makes it,
// and the handler answers with it. A program that calls the platform can decode an answer into it;
// the configuration is then a plain document, which prints and encodes as a mask. Absent values are
// left out, except modules.
type Installation struct {
	ID            string                `json:"id"`
	Name          string                `json:"name,omitzero"`
	Revision      int64                 `json:"revision"`
	Status        string                `json:"status"` // such as "Installed"
	Extension     ExtensionReference    `json:"extension"`
	Account       AccountReference      `json:"account"`
	Modules       []Reference           `json:"modules"` // that the account consented to
	Configuration installation.Document `json:"configuration,omitzero"`
	Invitation    *Invitation           `json:"invitation,omitzero"` // nil = installed without one
	Terms         []Reference           `json:"terms,omitempty"`
	Audit         *Audit                `json:"audit,omitzero"`
}

// ExtensionReference is the public part of an extension in an [Installation].
type ExtensionReference struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitzero"`
	Icon     string `json:"icon,omitzero"`
	Href     string `json:"href,omitzero"`
	Revision int64  `json:"revision,omitzero"`
}

// AccountReference is the public part of an account in an [Installation].
type AccountReference struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitzero"`
	Icon     string `json:"icon,omitzero"`
	Type     string `json:"type,omitzero"`
	Status   string `json:"status,omitzero"`
	Revision int64  `json:"revision,omitzero"`
}

// Reference names a module, terms, a user or an account in an [Installation].
type Reference struct {
	ID   string `json:"id"`
	Name string `json:"name,omitzero"`
	Icon string `json:"icon,omitzero"`
}

// Invitation is the invitation in an [Installation]. Anyone who has the code can install, so only
// the answer to POST has Code, and a URL with the code. Anywhere else, URL is Options.AcceptURL of
// the service for this installation, or "" without that option.
type Invitation struct {
	Message    string    `json:"message"`
	Status     string    `json:"status"`
	Validity   *Validity `json:"validity,omitzero"`
	ExternalID string    `json:"externalId,omitzero"`
	URL        string    `json:"url"`
	Code       string    `json:"code,omitzero"`
}

// Validity is the time that an [Invitation] is valid for, such as "7d".
type Validity struct {
	Period string `json:"period"`
}

// Audit has the last event of each kind that happened to an [Installation].
type Audit struct {
	Created     *AuditEvent `json:"created,omitzero"`
	Updated     *AuditEvent `json:"updated,omitzero"`
	Invited     *AuditEvent `json:"invited,omitzero"`
	Installed   *AuditEvent `json:"installed,omitzero"`
	Expired     *AuditEvent `json:"expired,omitzero"`
	Uninstalled *AuditEvent `json:"uninstalled,omitzero"`
}

// AuditEvent is one event of an [Audit].
type AuditEvent struct {
	At string     `json:"at"` // UTC with three decimals: 2026-01-31T23:00:00.000Z
	By *Reference `json:"by,omitzero"`
	Of *Reference `json:"of,omitzero"`
}

// timeForm is the form of times: UTC, three decimals. The texts sort like the times.
const timeForm = "2006-01-02T15:04:05.000Z"

func wireTime(t time.Time) string { return t.UTC().Format(timeForm) }

// wireStatus returns the name of a status on the wire. The platform's documentation has the names
// in lower case in its text, but in Pascal case in every body.
func wireStatus(s installation.Status) string {
	first := min(1, len(s)) // an unset status has no first letter
	return strings.ToUpper(string(s[:first])) + string(s[first:])
}

// extra is what the handler stores in Installation.Extra.
type extra struct {
	Inviter *AccountReference `json:"inviter,omitzero"` // shown as account until somebody redeems
}

// InstallationOf returns the platform's object for an installation. It shows every part of inst. So
// pass what the service returned to the reader as the actor: the service has left out what the
// reader must not see. Before somebody redeems an invitation, Account is who invited.
func InstallationOf(inst *installation.Installation) *Installation {
	e := inst.Extension
	w := &Installation{
		ID: inst.ID, Name: inst.Name, Revision: inst.Revision, Status: wireStatus(inst.Status),
		Extension: ExtensionReference{
			ID: e.ID, Name: e.Name, Icon: e.Icon, Href: e.Href, Revision: e.Revision,
		},
		Account: accountReference(inst.Account),
		Modules: convert(inst.Consent.Modules, referenceOf),
		Terms:   convert(inst.Consent.Terms, referenceOf),
		Audit:   auditOf(inst),
	}
	if inst.Account.ID == "" { // API clients expect an account
		w.Account = inviterOf(inst)
	}
	if inst.Configuration != nil {
		w.Configuration = inst.Configuration.Document
	}
	if i := inst.Invitation; i != nil {
		w.Invitation = &Invitation{
			Message: i.Message, Status: wireStatus(i.Status), ExternalID: i.ExternalID, URL: i.URL,
		}
		if i.Validity != "" {
			w.Invitation.Validity = &Validity{Period: string(i.Validity)}
		}
	}
	return w
}

// Parts returns what a write can set of the installation, for a request to the service. A field of
// w that is empty changes nothing. The owner of the extension is not part of the object; see
// [Owners].
func (w *Installation) Parts() installation.Parts {
	e, a := w.Extension, w.Account
	return installation.Parts{
		Name: given(w.Name != "", w.Name),
		Extension: given(e.ID != "", installation.Extension{
			ID: e.ID, Name: e.Name, Icon: e.Icon, Href: e.Href, Revision: e.Revision,
		}),
		Account: given(a.ID != "", installation.Account{
			ID: a.ID, Name: a.Name, Icon: a.Icon, Type: a.Type, Status: a.Status,
			Revision: a.Revision,
		}),
		Consent: given(len(w.Modules)+len(w.Terms) > 0, installation.Consent{
			Modules: convert(w.Modules, Reference.domain),
			Terms:   convert(w.Terms, Reference.domain),
		}),
		Configuration: given(!w.Configuration.IsZero(),
			installation.Configuration{Document: w.Configuration}),
	}
}

// given returns a part with the value v, or a part that is left out.
func given[T any](ok bool, v T) installation.Optional[T] {
	if !ok {
		return installation.Optional[T]{}
	}
	return installation.Value(v)
}

// convert returns the results of one for a list.
func convert[S, T any](list []S, one func(S) T) []T {
	out := make([]T, 0, len(list))
	for _, item := range list {
		out = append(out, one(item))
	}
	return out
}

func referenceOf(r installation.Reference) Reference { return Reference(r) }

func (r Reference) domain() installation.Reference { return installation.Reference(r) }

func accountReference(a installation.Account) AccountReference {
	return AccountReference{
		ID: a.ID, Name: a.Name, Icon: a.Icon, Type: a.Type, Status: a.Status,
		Revision: a.Revision,
	}
}

// inviterOf returns the account that sent an invitation, or else the owner of the extension.
func inviterOf(inst *installation.Installation) AccountReference {
	var x extra
	if inst.Extra.Decode(&x) == nil && x.Inviter != nil {
		return *x.Inviter
	}
	return AccountReference{ID: inst.Extension.Owner}
}

func auditOf(inst *installation.Installation) *Audit {
	a := inst.Audit
	w := &Audit{
		Created: eventOf(a.Created), Updated: eventOf(a.Updated),
		Invited: eventOf(a.Invited), Installed: eventOf(a.Installed),
		Expired: eventOf(a.Expired), Uninstalled: eventOf(a.Uninstalled),
	}
	// An invitation expires at the end of its validity, even if the expiry is recorded later, or
	// is not recorded yet.
	i, expired := inst.Invitation, inst.Status == installation.StatusExpired
	if i != nil && expired && !i.Expires.IsZero() {
		expires := wireTime(i.Expires)
		w.Expired = cmp.Or(w.Expired, &AuditEvent{At: expires})
		w.Expired.At = min(w.Expired.At, expires)
	}
	if *w == (Audit{}) {
		return nil
	}
	return w
}

func eventOf(e *installation.AuditEntry) *AuditEvent {
	if e == nil {
		return nil
	}
	return &AuditEvent{At: wireTime(e.At), By: named(e.By), Of: named(e.Of)}
}

// named returns the reference, or nil if it names nothing.
func named(r installation.Reference) *Reference {
	if r.ID == "" {
		return nil
	}
	return new(Reference(r))
}

// domain returns the account in the form that the service uses.
func (a *Account) domain() installation.Account {
	return installation.Account{
		ID: a.ID, Name: a.Name, Icon: a.Icon, Type: string(a.Type), Status: a.Status,
		Revision: a.Revision,
	}
}

// domain returns the extension in the form that the service uses.
func (e *Extension) domain() installation.Extension {
	return installation.Extension{
		ID: e.ID, Name: e.Name, Icon: e.Icon, Href: e.Href, Owner: e.Owner, Revision: e.Revision,
	}
}
