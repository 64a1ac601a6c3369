// Package storetest is the conformance suite of [installation.Store].
//
// The author of a store calls [Run] and [RunUnavailable] in tests, as in the example.
//
// The contract is in the comments of Store and of the types that Store uses. Each case quotes the
// sentence that the case checks. A failure prints that sentence, the call, what the store returned
// (got) and what the contract asks for (want). Long values are cut, and end with their length and
// checksum. Fields that are zero are left out.
//
// If the contract leaves a choice to the store, such as when an expired outcome disappears, every
// choice passes. The suite imports only the standard library, never sleeps and measures no time. A
// limit of time ends a call that would hang. In the changes of the suite, Change.Now is in the year
// 2100.
package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// Run runs every case of the contract as a subtest. It calls open once for each case. open has to
// return an empty store with a new namespace, and to close that store with t.Cleanup if needed.
// Cases for abilities that the store does not have, such as [installation.EventReader], are
// skipped. A method that returns [installation.ErrUnsupported] shows that the ability is absent.
func Run(t *testing.T, open func(t *testing.T) installation.Store) {
	t.Helper()
	run(t, cases(), open)
}

// RunUnavailable checks the errors of a store with an unreachable backend, such as a stopped server
// or a closed client. It calls open once for each case.
func RunUnavailable(t *testing.T, open func(t *testing.T) installation.Store) {
	t.Helper()
	run(t, unavailableCases, open)
}

func run(t *testing.T, cases []testCase, open func(t *testing.T) installation.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.check(t, open(t))
		})
	}
}

// testCase checks one rule.
type testCase struct {
	name string
	rule string // a quote of the contract
	run  func(t tester, s installation.Store)
}

// check runs the case. Its failures print the rule.
func (c testCase) check(t tester, s installation.Store) {
	t.Helper()
	c.run(&messages{tester: t, rule: c.rule}, s)
}

// tester is the part of [testing.T] that cases use, so that tests can run cases on broken stores.
type tester interface {
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Helper()
	Skipf(format string, args ...any)
}

// cases returns the cases of Run.
func cases() []testCase {
	return slices.Concat(
		contextCases, ownershipCases, stringCases, timeCases, getCases, replayCases,
		idempotencyCases, revisionCases, claimCases, writeCases, listCases, pageCases,
		tenantCases, dueCases, outcomeCases, eventCases, followCases, countCases, healthCases,
		raceCases, namespaceCases, sizeCases, queryCases,
		boundCases, moveCases, forgetCases, confusedCases, wholeCases, trimCases,
	)
}

// ability returns s as an optional interface. It returns false if s lacks the interface, or is a
// decorator of a store that lacks it.
func ability[A any](t tester, s installation.Store) (a A, ok bool) {
	if a, ok = s.(A); !ok {
		return a, false
	}
	var err error
	switch a := any(&a).(type) {
	case *installation.EventReader:
		_, err = (*a).Events(t.Context(), installation.EventQuery{Tenant: "tenant", Limit: 1})
	case *installation.Counter:
		_, err = (*a).Count(t.Context(), everything)
	case *installation.HealthChecker:
		_, err = (*a).Health(t.Context())
	case *installation.Namespacer:
		_, err = (*a).Namespace(t.Context())
	case *installation.Mover:
		for _, err = range (*a).Scan(t.Context()) {
			break
		}
	case *installation.Trimmer:
		err = (*a).Trim(t.Context(), time.Time{})
	}
	return a, !errors.Is(err, installation.ErrUnsupported)
}

// withAbility returns the function of a case for stores that implement the optional interface A. On
// other stores the case is skipped.
func withAbility[A any](
	run func(t tester, s installation.Store, a A),
) func(tester, installation.Store) {
	return func(t tester, s installation.Store) {
		a, ok := ability[A](t, s)
		if !ok {
			t.Skipf("the store does not implement %v", reflect.TypeFor[A]())
			return
		}
		run(t, s, a)
	}
}
