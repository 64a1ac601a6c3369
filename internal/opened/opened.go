// Package opened holds the plain secrets of an installation until they are wiped, and puts them
// into the documents that they belong to.
package opened

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/canonical"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
)

// Errors of [Secrets].
var (
	errWiped  = errors.New("installation: an opened installation was used after Close")
	errTarget = errors.New("installation: the value to decode into must be a pointer, not nil")
	errMisfit = errors.New("installation: the configuration does not fit the value to decode " +
		"into: for a secret, use a crypto.Secret, or DecodePlain")
	errPlainType = errors.New("installation: the configuration has a secret where the value to " +
		"decode into is no crypto.Secret: use one there, or DecodePlain")
	errLiteral = errors.New(`installation: a secret of the configuration is the text "***", ` +
		"which a crypto.Secret takes for a mask: use Reveal")
)

// Secrets are plain secrets by name: a kind and a JSON Pointer, such as "config/api_key". They are
// safe for concurrent use once they are complete.
type Secrets struct {
	mu sync.Mutex
	// texts returns the JSON text of each secret. It is nil once they are wiped. It is a function,
	// so that printers that follow pointers do not find the texts.
	texts func() map[string][]byte
}

// New returns no secrets yet, with room for n.
func New(n int) *Secrets {
	texts := make(map[string][]byte, n)
	return &Secrets{texts: func() map[string][]byte { return texts }}
}

// Add adds a secret. It keeps the JSON text and not a copy of it.
func (s *Secrets) Add(name string, text []byte) { s.texts()[name] = text }

// Wipe overwrites the secrets. Later calls of the other methods fail. It can be repeated, and
// called on nil.
func (s *Secrets) Wipe() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		return
	}
	for _, text := range s.texts() {
		clear(text)
	}
	s.texts = nil
}

// Value returns the secret with a name, and whether there is one.
func (s *Secrets) Value(name string) (value crypto.Secret, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		return value, false, errWiped
	}
	text, ok := s.texts()[name]
	if !ok {
		return value, false, nil
	}
	return FromJSON(text), true, nil
}

// FromJSON returns the string itself if text is that of a JSON string, else the text.
func FromJSON(text []byte) crypto.Secret {
	var value string
	if json.Unmarshal(text, &value) != nil {
		return crypto.SecretFromBytes(text)
	}
	return crypto.NewSecret(value)
}

// Fill returns the text of a stored document of a kind, with its plain secrets. The caller clears
// it.
func (s *Secrets) Fill(kind, document string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fill(kind, document, asStored)
}

// Decode decodes a stored document of a kind into v. It leaves v as it is if v has another type
// than crypto.Secret at the place of a secret.
func (s *Secrets) Decode(kind, document string, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return errTarget
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Decode the document with a mark in place of each secret first, to find out where the secrets
	// would go. The mark is no base64, so no byte slice takes it.
	mark := "secret: " + rand.Text()
	asMark := func([]byte) (*jsontree.Node, error) { return jsontree.NewString(mark) }
	probe := reflect.New(target.Type().Elem()).Interface()
	if err := s.decode(kind, document, asMark, probe); err != nil {
		return err
	}
	if canonical.ContainsText(probe, mark) {
		return errPlainType
	}
	return s.decode(kind, document, asString, v)
}

// DecodePlain decodes a stored document of a kind into v, whatever its types are.
func (s *Secrets) DecodePlain(kind, document string, v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.decode(kind, document, asStored, v)
}

func (s *Secrets) decode(kind, document string, value form, v any) error {
	text, err := s.fill(kind, document, value)
	defer clear(text)
	if err == nil && json.Unmarshal(text, v) != nil {
		err = errMisfit
	}
	return err
}

// form is what takes the place of a secret with this JSON text.
type form func(text []byte) (*jsontree.Node, error)

func asStored(text []byte) (*jsontree.Node, error) {
	return jsontree.Parse(text, jsontree.Limits{})
}

// asString returns a JSON string for a crypto.Secret to decode.
func asString(text []byte) (*jsontree.Node, error) {
	value := FromJSON(text).RevealString()
	if value == crypto.Mask {
		return nil, errLiteral
	}
	return jsontree.NewString(value)
}

func (s *Secrets) fill(kind, document string, value form) ([]byte, error) {
	if s.texts == nil {
		return nil, errWiped
	}
	tree, err := jsontree.Parse([]byte(document), jsontree.Limits{})
	if err != nil {
		return nil, crypto.ErrSealed
	}
	values := make(map[string]*jsontree.Node)
	for name, text := range s.texts() {
		pointer, ok := strings.CutPrefix(name, kind)
		if !ok || !strings.HasPrefix(pointer, "/") {
			continue
		}
		if values[pointer], err = value(text); err != nil {
			return nil, err
		}
	}
	return masked.Fill(tree, values).Append(nil), nil
}
