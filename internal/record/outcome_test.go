package record

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-installation/installation/crypto"
	"github.com/google/go-cmp/cmp"
)

var outcomes = []*Outcome{
	{Sealed: []byte("sealed"), Key: crypto.Wrapped{KeyID: "k1", Bytes: []byte("wrapped")}},
}

func answers() []*Answer {
	print := bytes.Repeat([]byte{7}, 32)
	return []*Answer{
		{
			Content: []byte("sealed"), Code: []byte("sealed code"),
			Fingerprint: print, ID: "i", Generation: 1, Revision: 2,
			Verdict: Created, DataKey: 3, Epoch: 4,
		},
		{Fingerprint: print, ID: "i", Verdict: Unchanged},
		{Fingerprint: print, ID: "i", Verdict: Removed, DataKey: 1<<32 - 1},
	}
}

func TestOutcomeRoundTrip(t *testing.T) {
	want := outcomes[0]
	got, err := DecodeOutcome(want.Append(nil))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestDecodeOutcomeRejectsWhatBreaksARule(t *testing.T) {
	for name, change := range map[string]func(o *Outcome){
		"no answer": func(o *Outcome) { o.Sealed = nil },
		"no key ID": func(o *Outcome) { o.Key.KeyID = "" },
		"no key":    func(o *Outcome) { o.Key.Bytes = nil },
	} {
		o := *outcomes[0]
		change(&o)
		if got, err := DecodeOutcome(o.Append(nil)); err != crypto.ErrSealed || got != nil {
			t.Errorf("%s: got %+v, %v, want ErrSealed", name, got, err)
		}
	}
	raw := outcomes[0].Append(nil)
	if _, err := DecodeOutcome(append(raw, 0x78, 1)); err != crypto.ErrSealed {
		t.Errorf("unknown field: %v", err)
	}
	raw[0] = 1
	_, err := DecodeOutcome(raw)
	version, ok := errors.AsType[*crypto.VersionError](err)
	if !ok || version.What != "outcome" || version.Version != 1 {
		t.Errorf("version 1: %v", err)
	}
}

func TestAnswerRoundTrip(t *testing.T) {
	for i, want := range answers() {
		got, err := DecodeAnswer(want.Append(nil))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("answer %d: %v (-want +got):\n%s", i, err, diff)
		}
	}
}

func TestDecodeAnswerRejectsWhatBreaksARule(t *testing.T) {
	for name, change := range map[string]func(a *Answer){
		"no fingerprint":    func(a *Answer) { a.Fingerprint = nil },
		"short fingerprint": func(a *Answer) { a.Fingerprint = a.Fingerprint[1:] },
		"no ID":             func(a *Answer) { a.ID = "" },
		"no verdict":        func(a *Answer) { a.Verdict = 0 },
		"unknown verdict":   func(a *Answer) { a.Verdict = Removed + 1 },
	} {
		a := answers()[0]
		change(a)
		if got, err := DecodeAnswer(a.Append(nil)); err != crypto.ErrSealed || got != nil {
			t.Errorf("%s: got %+v, %v, want ErrSealed", name, got, err)
		}
	}
	b := answers()[0].Append(nil)
	if _, err := DecodeAnswer(append(b, 0x78, 1)); err != crypto.ErrSealed {
		t.Errorf("unknown field: %v", err)
	}
}

// FuzzDecodeOutcome proves that any input is an outcome and an answer with one encoding
// each, or ErrSealed.
func FuzzDecodeOutcome(f *testing.F) {
	for _, o := range outcomes {
		f.Add(o.Append(nil))
	}
	for _, a := range answers() {
		f.Add(a.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := DecodeOutcome(b)
		if err == nil && !bytes.Equal(b, o.Append(nil)) {
			t.Fatalf("accepted outcome %x, which is written as %x", b, o.Append(nil))
		}
		if err != nil && (!errors.Is(err, crypto.ErrSealed) || o != nil) {
			t.Fatalf("got %v, %v, want ErrSealed", o, err)
		}
		a, err := DecodeAnswer(b)
		if err == nil && !bytes.Equal(b, a.Append(nil)) {
			t.Fatalf("accepted answer %x, which is written as %x", b, a.Append(nil))
		}
		if err != nil && (err != crypto.ErrSealed || a != nil) {
			t.Fatalf("got %v, %v, want ErrSealed", a, err)
		}
	})
}
