package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// transcript prints numbered steps and claims, which are statements about the results of the steps.
// It collects the claims that turn out to be false.
type transcript struct {
	out    io.Writer
	number int
	failed []error
}

// chapter prints the title of a part of the story.
func (t *transcript) chapter(title string) { fmt.Fprintf(t.out, "\n== %s ==\n", title) }

// step starts the next numbered step.
func (t *transcript) step(title string) {
	t.number++
	fmt.Fprintf(t.out, "\n%2d. %s\n", t.number, title)
}

// say adds a sentence to the step.
func (t *transcript) say(format string, args ...any) {
	fmt.Fprintf(t.out, "    "+format+"\n", args...)
}

// show adds a value as JSON to the step. Secrets in it print as "***", as they
// do in every response and log.
func (t *transcript) show(v any) {
	text, err := json.MarshalIndent(v, "    ", "  ")
	if err != nil {
		t.failed = append(t.failed, err)
	}
	t.say("%s", text)
}

// check prints a claim and whether it is true. A false claim is an error of the whole run.
func (t *transcript) check(ok bool, claim string) {
	if !ok {
		t.say("NOT SO: %s", claim)
		t.failed = append(t.failed, fmt.Errorf("step %d: not so: %s", t.number, claim))
		return
	}
	t.say("ok: %s", claim)
}

// err returns all false claims so far, or nil.
func (t *transcript) err() error { return errors.Join(t.failed...) }
