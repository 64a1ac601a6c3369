package softwareone

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation/validate"
)

// fieldType says how values of a field compare.
type fieldType byte

const (
	text   fieldType = iota
	word             // one of a few, in any letter case
	number           // whole
	moment
	object // is there or not
)

// field is what filters and orders know of an installation. It reads what is shown, so no filter says more than a GET would.
type field struct {
	typ fieldType
	get func(w *wireInstallation) []string // in the form of key; none = absent
}

// fields are all there are to filter and order by. The configuration is not among them: its values are the customer's secrets or close to them.
var fields = func() map[string]field {
	all := map[string]field{
		"id":        {text, func(w *wireInstallation) []string { return one(w.ID) }},
		"name":      {text, func(w *wireInstallation) []string { return one(w.Name) }},
		"revision":  {number, func(w *wireInstallation) []string { return count(w.Revision) }},
		"status":    {word, func(w *wireInstallation) []string { return one(strings.ToLower(w.Status)) }},
		"extension": {object, func(w *wireInstallation) []string { return one(w.Extension.ID) }},

		"extension.id":       {text, func(w *wireInstallation) []string { return one(w.Extension.ID) }},
		"extension.name":     {text, func(w *wireInstallation) []string { return one(w.Extension.Name) }},
		"extension.icon":     {text, func(w *wireInstallation) []string { return one(w.Extension.Icon) }},
		"extension.href":     {text, func(w *wireInstallation) []string { return one(w.Extension.Href) }},
		"extension.revision": {number, func(w *wireInstallation) []string { return count(w.Extension.Revision) }},

		"account":          {object, func(w *wireInstallation) []string { return one(w.Account.ID) }},
		"account.id":       {text, func(w *wireInstallation) []string { return one(w.Account.ID) }},
		"account.name":     {text, func(w *wireInstallation) []string { return one(w.Account.Name) }},
		"account.icon":     {text, func(w *wireInstallation) []string { return one(w.Account.Icon) }},
		"account.type":     {word, func(w *wireInstallation) []string { return one(strings.ToLower(w.Account.Type)) }},
		"account.status":   {word, func(w *wireInstallation) []string { return one(strings.ToLower(w.Account.Status)) }},
		"account.revision": {number, func(w *wireInstallation) []string { return count(w.Account.Revision) }},

		"invitation":                 {object, invited(func(i *wireInvitation) []string { return one(i.Status) })},
		"invitation.message":         {text, invited(func(i *wireInvitation) []string { return one(i.Message) })},
		"invitation.status":          {word, invited(func(i *wireInvitation) []string { return one(strings.ToLower(i.Status)) })},
		"invitation.externalId":      {text, invited(func(i *wireInvitation) []string { return one(i.ExternalID) })},
		"invitation.validity":        {object, invited(validity)},
		"invitation.validity.period": {text, invited(validity)},

		"modules": {object, func(w *wireInstallation) []string { return ids(w.Modules) }},
		"terms":   {object, func(w *wireInstallation) []string { return ids(w.Terms) }},
		"audit":   {object, func(w *wireInstallation) []string { return nil }}, // for select alone
	}
	all["modules.id"] = field{text, all["modules"].get}
	all["terms.id"] = field{text, all["terms"].get}
	for name, event := range map[string]func(*wireAudit) *wireEvent{
		"created":     func(a *wireAudit) *wireEvent { return a.Created },
		"updated":     func(a *wireAudit) *wireEvent { return a.Updated },
		"invited":     func(a *wireAudit) *wireEvent { return a.Invited },
		"installed":   func(a *wireAudit) *wireEvent { return a.Installed },
		"expired":     func(a *wireAudit) *wireEvent { return a.Expired },
		"uninstalled": func(a *wireAudit) *wireEvent { return a.Uninstalled },
	} {
		at := func(read func(*wireEvent) []string) func(*wireInstallation) []string {
			return func(w *wireInstallation) []string {
				if w.Audit == nil || event(w.Audit) == nil {
					return nil
				}
				return read(event(w.Audit))
			}
		}
		prefix := "audit." + name
		all[prefix] = field{object, at(func(e *wireEvent) []string { return one(e.At) })}
		all[prefix+".at"] = field{moment, at(func(e *wireEvent) []string { return one(e.At) })}
		for part, who := range map[string]func(*wireEvent) *wireReference{
			".by": func(e *wireEvent) *wireReference { return e.By },
			".of": func(e *wireEvent) *wireReference { return e.Of },
		} {
			of := func(read func(*wireReference) string) func(*wireInstallation) []string {
				return at(func(e *wireEvent) []string {
					if who(e) == nil {
						return nil
					}
					return one(read(who(e)))
				})
			}
			all[prefix+part] = field{object, of(func(r *wireReference) string { return r.ID })}
			all[prefix+part+".id"] = field{text, of(func(r *wireReference) string { return r.ID })}
			all[prefix+part+".name"] = field{text, of(func(r *wireReference) string { return r.Name })}
			all[prefix+part+".icon"] = field{text, of(func(r *wireReference) string { return r.Icon })}
		}
	}
	return all
}()

// one is a value that is absent where it is empty, as on the wire.
func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func count(n int64) []string { return []string{numberKey(n)} }

// numberKey is a number as a text that sorts as the number does. Stored numbers are not negative; one that is asked for sorts before them.
func numberKey(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprintf("%019d", n)
}

func invited(read func(*wireInvitation) []string) func(*wireInstallation) []string {
	return func(w *wireInstallation) []string {
		if w.Invitation == nil {
			return nil
		}
		return read(w.Invitation)
	}
}

func validity(i *wireInvitation) []string {
	if i.Validity == nil {
		return nil
	}
	return one(i.Validity.Period)
}

func ids(refs []wireReference) []string {
	var out []string
	for _, r := range refs {
		out = append(out, r.ID)
	}
	return out
}

// momentForms are the forms of times in a filter. The platform documents the first; its client writes the others too, and leaves out the zone.
var momentForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly}

// key puts a value of a filter into the form that the field's own values have. What is wrong goes to the list, under the name of the field.
func (f field) key(name, value string, l *validate.List) string {
	switch f.typ {
	case word:
		return strings.ToLower(value)
	case number:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			l.Add(name, validate.RuleFormat, "must be compared with a whole number")
		}
		return numberKey(n)
	case moment:
		for _, form := range momentForms {
			if t, err := time.Parse(form, value); err == nil {
				return wireTime(t)
			}
		}
		l.Add(name, validate.RuleFormat, "must be compared with a time such as 2026-01-31T23:00:00.000Z")
	}
	return value
}
