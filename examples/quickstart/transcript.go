package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// transcript writes what happens, in numbered steps, and holds every claim it makes against what did happen.
type transcript struct {
	out    io.Writer
	number int
	failed []error
}

// chapter begins a part of the story.
func (t *transcript) chapter(title string) { fmt.Fprintf(t.out, "\n== %s ==\n", title) }

// step begins the next numbered step.
func (t *transcript) step(title string) {
	t.number++
	fmt.Fprintf(t.out, "\n%2d. %s\n", t.number, title)
}

// say adds a sentence to the step.
func (t *transcript) say(format string, args ...any) {
	fmt.Fprintf(t.out, "    "+format+"\n", args...)
}

// show adds a value as JSON to the step. Secrets in it show as "***", as they would in any answer or log.
func (t *transcript) show(v any) error {
	text, err := json.MarshalIndent(v, "    ", "  ")
	if err != nil {
		return err
	}
	t.say("%s", text)
	return nil
}

// check says what should be so and remembers if it is not.
func (t *transcript) check(ok bool, claim string) {
	if !ok {
		t.say("NOT SO: %s", claim)
		t.failed = append(t.failed, fmt.Errorf("step %d: not so: %s", t.number, claim))
		return
	}
	t.say("ok: %s", claim)
}

// err returns what was not as it should be.
func (t *transcript) err() error { return errors.Join(t.failed...) }
