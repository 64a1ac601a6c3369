package softwareone

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/go-installation/installation"
)

// wireInstallation is an installation as the platform shows it. Absent values are left out, except
// modules.
type wireInstallation struct {
	ID            string          `json:"id"`
	Name          string          `json:"name,omitzero"`
	Revision      int64           `json:"revision"`
	Status        string          `json:"status"`
	Extension     wireExtension   `json:"extension"`
	Account       wireAccount     `json:"account"`
	Modules       []wireReference `json:"modules"`
	Configuration json.RawMessage `json:"configuration,omitempty"`
	Invitation    *wireInvitation `json:"invitation,omitzero"`
	Terms         []wireReference `json:"terms,omitempty"`
	Audit         *wireAudit      `json:"audit,omitzero"`
}

type wireExtension struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitzero"`
	Icon     string `json:"icon,omitzero"`
	Href     string `json:"href,omitzero"`
	Revision int64  `json:"revision,omitzero"`
}

type wireAccount struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitzero"`
	Icon     string `json:"icon,omitzero"`
	Type     string `json:"type,omitzero"`
	Status   string `json:"status,omitzero"`
	Revision int64  `json:"revision,omitzero"`
}

type wireReference struct {
	ID   string `json:"id"`
	Name string `json:"name,omitzero"`
	Icon string `json:"icon,omitzero"`
}

// wireInvitation is an invitation. Anyone who has URL and Code can install, so only the answer to
// POST has these two fields.
type wireInvitation struct {
	Message    string        `json:"message"`
	Status     string        `json:"status"`
	Validity   *wireValidity `json:"validity,omitzero"`
	ExternalID string        `json:"externalId,omitzero"`
	URL        string        `json:"url,omitzero"`
	Code       string        `json:"code,omitzero"`
}

type wireValidity struct {
	Period string `json:"period"`
}

// wireAudit has only the events that happened.
type wireAudit struct {
	Created     *wireEvent `json:"created,omitzero"`
	Updated     *wireEvent `json:"updated,omitzero"`
	Invited     *wireEvent `json:"invited,omitzero"`
	Installed   *wireEvent `json:"installed,omitzero"`
	Expired     *wireEvent `json:"expired,omitzero"`
	Uninstalled *wireEvent `json:"uninstalled,omitzero"`
}

type wireEvent struct {
	At string         `json:"at"`
	By *wireReference `json:"by,omitzero"`
	Of *wireReference `json:"of,omitzero"`
}

// timeForm is the form of times: UTC, three decimals. The texts sort like the times.
const timeForm = "2006-01-02T15:04:05.000Z"

func wireTime(t time.Time) string { return t.UTC().Format(timeForm) }

// statusNames are the names of statuses on the wire. The platform's documentation has the names in
// lower case in its text, but in Pascal case in every body.
var statusNames = map[installation.Status]string{
	installation.StatusInvited: "Invited", installation.StatusInstalled: "Installed",
	installation.StatusExpired: "Expired", installation.StatusUninstalled: "Uninstalled",
}

func wireStatus(s installation.Status) string { return cmp.Or(statusNames[s], string(s)) }

// extra is what the handler stores in Installation.Extra.
type extra struct {
	Inviter *wireAccount `json:"inviter,omitzero"` // shown as account until somebody redeems
}

// wireOf returns the wire form of an installation. It shows every part of inst, so inst has to have
// only the parts that the caller is allowed to see.
func wireOf(inst *installation.Installation) *wireInstallation {
	e, a := inst.Extension, inst.Account
	w := &wireInstallation{
		ID: inst.ID, Name: inst.Name, Revision: inst.Revision, Status: wireStatus(inst.Status),
		Extension: wireExtension{
			ID: e.ID, Name: e.Name, Icon: e.Icon, Href: e.Href, Revision: e.Revision,
		},
		Account: wireAccountOf(a),
		Modules: make([]wireReference, 0, len(inst.Consent.Modules)),
		Audit:   wireAuditOf(inst),
	}
	if a.ID == "" { // nobody has redeemed the invitation yet, but API clients expect an account
		w.Account = inviterOf(inst)
	}
	for _, m := range inst.Consent.Modules {
		w.Modules = append(w.Modules, wireReference(m))
	}
	for _, t := range inst.Consent.Terms {
		w.Terms = append(w.Terms, wireReference(t))
	}
	if inst.Configuration != nil {
		w.Configuration = inst.Configuration.Document.Bytes()
	}
	if i := inst.Invitation; i != nil {
		w.Invitation = &wireInvitation{
			Message: i.Message, Status: wireStatus(i.Status), ExternalID: i.ExternalID,
		}
		if i.Validity != "" {
			w.Invitation.Validity = &wireValidity{Period: string(i.Validity)}
		}
	}
	return w
}

func wireAccountOf(a installation.Account) wireAccount {
	return wireAccount{
		ID: a.ID, Name: a.Name, Icon: a.Icon, Type: a.Type, Status: a.Status,
		Revision: a.Revision,
	}
}

// inviterOf returns the account that sent an invitation, or else the owner of the extension.
func inviterOf(inst *installation.Installation) wireAccount {
	var x extra
	if inst.Extra.Decode(&x) == nil && x.Inviter != nil {
		return *x.Inviter
	}
	return wireAccount{ID: inst.Extension.Owner}
}

func wireAuditOf(inst *installation.Installation) *wireAudit {
	a := inst.Audit
	w := &wireAudit{
		Created: wireEventOf(a.Created), Updated: wireEventOf(a.Updated),
		Invited: wireEventOf(a.Invited), Installed: wireEventOf(a.Installed),
		Expired: wireEventOf(a.Expired), Uninstalled: wireEventOf(a.Uninstalled),
	}
	// An invitation expires at the end of its validity, even if the expiry is recorded later, or
	// is not recorded yet.
	i, expired := inst.Invitation, inst.Status == installation.StatusExpired
	if i != nil && expired && !i.Expires.IsZero() {
		expires := wireTime(i.Expires)
		w.Expired = cmp.Or(w.Expired, &wireEvent{At: expires})
		w.Expired.At = min(w.Expired.At, expires)
	}
	if *w == (wireAudit{}) {
		return nil
	}
	return w
}

func wireEventOf(e *installation.AuditEntry) *wireEvent {
	if e == nil {
		return nil
	}
	return &wireEvent{At: wireTime(e.At), By: wireReferenceOf(e.By), Of: wireReferenceOf(e.Of)}
}

func wireReferenceOf(r installation.Reference) *wireReference {
	if r.ID == "" {
		return nil
	}
	return new(wireReference(r))
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
