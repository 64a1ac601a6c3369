package installation

import (
	"encoding/json"
	"fmt"
	"io"
)

// Optional is a part of a write that may be left out: the zero value keeps what is stored, [Remove] takes it away, [Value]
// puts something in its place. In JSON an absent key (with omitzero) keeps, null removes.
type Optional[T any] struct {
	given bool
	value *T
}

// Value gives a part.
func Value[T any](v T) Optional[T] { return Optional[T]{given: true, value: &v} }

// Remove takes a part away.
func Remove[T any]() Optional[T] { return Optional[T]{given: true} }

// IsZero reports whether the part is left out.
func (o Optional[T]) IsZero() bool { return !o.given }

// Get returns the value; ok is false if the part is left out or to be removed.
func (o Optional[T]) Get() (v T, ok bool) {
	if o.value == nil {
		return v, false
	}
	return *o.value, true
}

// Removes reports whether the part is to be removed.
func (o Optional[T]) Removes() bool { return o.given && o.value == nil }

// Format implements [fmt.Formatter]: "keep", "remove", or the value under the same verb.
func (o Optional[T]) Format(f fmt.State, verb rune) {
	switch {
	case o.value != nil:
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), *o.value)
	case o.given:
		_, _ = io.WriteString(f, "remove")
	default:
		_, _ = io.WriteString(f, "keep")
	}
}

// MarshalJSON writes the value, or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.value) }

// UnmarshalJSON reads null as [Remove] and anything else as [Value].
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	var value *T
	if err := json.Unmarshal(b, &value); err != nil {
		return err
	}
	o.given, o.value = true, value
	return nil
}

// content returns the value for the request's fingerprint: nil if it is to be removed.
func (o Optional[T]) content() any {
	if o.value == nil {
		return nil
	}
	return *o.value
}
