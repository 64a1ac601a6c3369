package httpapi_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

func TestWithMembers(t *testing.T) {
	for name, tt := range map[string]struct {
		extra   installation.Document
		changes map[string]any
		want    string // "" = Extra is removed
	}{
		"new": {installation.Document{}, map[string]any{"a": 1}, `{"a":1}`},
		"others stay": {installation.JSON(`{"b":1.50}`), map[string]any{"a": "x"},
			`{"a":"x","b":1.50}`},
		"nil removes":   {installation.JSON(`{"a":1,"b":2}`), map[string]any{"a": nil}, `{"b":2}`},
		"nothing left":  {installation.JSON(`{"a":1}`), map[string]any{"a": nil}, ""},
		"nothing there": {installation.Document{}, map[string]any{"a": nil}, ""},
	} {
		got, err := httpapi.WithMembers(tt.extra, tt.changes)
		if err != nil || got.Removes() != (tt.want == "") {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		document, _ := got.Get()
		if text := document.Text(); text.RevealString() != tt.want {
			t.Errorf("%s: got %s, want %s", name, text.RevealString(), tt.want)
		}
	}
	for name, extra := range map[string]string{"no object": `[]`, "a value": `7`} {
		changes := map[string]any{"a": 1}
		if _, err := httpapi.WithMembers(installation.JSON(extra), changes); err == nil {
			t.Errorf("%s has members", name)
		}
	}
	if _, err := httpapi.WithMembers(installation.Document{},
		map[string]any{"a": make(chan int)}); err == nil {
		t.Error("a channel is encoded")
	}
}

func TestRaced(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&installation.ConflictError{}, true},
		{&installation.ConflictError{To: installation.StatusInstalled}, false},
		{installation.ErrNotFound, false},
		{nil, false},
	} {
		if got := httpapi.Raced(tt.err); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.err, got, tt.want)
		}
	}
}
