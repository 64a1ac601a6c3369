// Package storetest is the conformance suite of [installation.Store].
//
// The author of a store runs it from a test of their own:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) installation.Store { return mystore.New() })
//	}
//
// Each case quotes the sentence of the contract that it checks, and a failure prints it. Where the contract leaves a
// choice to the store, such as when an expired outcome disappears, no case takes sides. The suite uses the standard library
// alone, does not sleep and measures no time. The Now of its changes is in the year 2100.
package storetest

import (
	"context"
	"slices"
	"testing"

	"github.com/go-installation/installation"
)

// Run checks a store against every rule of the contract, each in a subtest on a store of its own: open is called once for
// each and returns an empty one; what needs closing is closed with t.Cleanup. Abilities that the store does not have, such
// as [installation.EventReader], are skipped.
func Run(t *testing.T, open func(t *testing.T) installation.Store) {
	t.Helper()
	run(t, cases(), open)
}

// RunUnavailable checks the answers of a store that cannot reach its backend: one whose server was stopped, whose client
// was closed. As with Run, open is called for each subtest.
func RunUnavailable(t *testing.T, open func(t *testing.T) installation.Store) {
	t.Helper()
	run(t, unavailableCases, open)
}

func run(t *testing.T, cases []testCase, open func(t *testing.T) installation.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("the contract: %s", c.rule)
				}
			}()
			c.run(t, open(t))
		})
	}
}

// A testCase checks one rule.
type testCase struct {
	name string
	rule string // in the words of the contract
	run  func(t tester, s installation.Store)
}

// tester is the part of [testing.T] that a case uses, so that cases can be run against stores that must fail them.
type tester interface {
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Helper()
	Skipf(format string, args ...any)
}

// cases returns all that Run runs.
func cases() []testCase {
	return slices.Concat(
		contextCases,
		ownershipCases,
		stringCases,
		timeCases,
		getCases,
		replayCases,
		idempotencyCases,
		revisionCases,
		claimCases,
		writeCases,
		listCases,
		pageCases,
		tenantCases,
		dueCases,
		outcomeCases,
		eventCases,
		countCases,
		healthCases,
		raceCases,
	)
}
