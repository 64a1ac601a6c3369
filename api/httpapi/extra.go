package httpapi

import (
	"encoding/json"

	"github.com/go-installation/installation"
)

// WithMembers returns a value for Installation.Extra: the stored document with some members
// changed. A nil value removes a member. Other members stay, even masked ones. If no member is
// left, the result removes Extra. A write of Extra replaces it as a whole, so guard the write with
// the revision that extra was read at.
//
// The error means that extra is not a JSON object, or that a value cannot be encoded.
func WithMembers(
	extra installation.Document, changes map[string]any,
) (installation.Optional[installation.Document], error) {
	var none installation.Optional[installation.Document]
	members := make(map[string]json.RawMessage)
	if !extra.IsZero() {
		if err := extra.Decode(&members); err != nil {
			return none, err
		}
	}
	for name, value := range changes {
		text, err := json.Marshal(value)
		if err != nil {
			return none, err
		}
		members[name] = text
		if value == nil {
			delete(members, name)
		}
	}
	if len(members) == 0 {
		return installation.Remove[installation.Document](), nil
	}
	document, err := installation.DocumentOf(members)
	return installation.Value(document), err
}
