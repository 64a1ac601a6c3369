package ampersand

import (
	"encoding/json"

	"github.com/go-installation/installation"
)

// notes are the fields of the wire that an installation has no place for: who installed it first, whatever happened since, and which revision of
// the integration its configuration was saved under, in whose name. They are kept in Installation.Extra.
//
// A configuration is saved anew by every change of its content. The service gives each state of it an id, Configuration.RevisionID, which is the id
// that the wire calls config.id.
type notes struct {
	CreatedBy string      `json:"createdBy"`
	Config    configNotes `json:"config"`
}

type configNotes struct {
	RevisionID string `json:"revisionId"`
	CreatedBy  string `json:"createdBy"`
}

// notesOf returns the notes of an installation; empty ones if it has none, since the host made it.
func notesOf(inst *installation.Installation) notes {
	var n notes
	if inst.Extra.IsZero() || inst.Extra.Decode(&n) != nil {
		return notes{}
	}
	return n
}

// part is the notes for a write, beside the other unnamed fields that the host may keep there.
func (n notes) part(extra installation.Document) (installation.Optional[installation.Document], error) {
	fields := make(map[string]any)
	if !extra.IsZero() {
		var other map[string]json.RawMessage
		if err := extra.Decode(&other); err != nil {
			return installation.Optional[installation.Document]{}, err
		}
		for name, value := range other {
			fields[name] = value
		}
	}
	fields["createdBy"], fields["config"] = n.CreatedBy, n.Config
	document, err := installation.DocumentOf(fields)
	return installation.Value(document), err
}
