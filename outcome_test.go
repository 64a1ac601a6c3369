package installation

import (
	"errors"
	"testing"

	"github.com/go-installation/installation/crypto"
)

// recallState is an installation in its second revision, and the answer to the request that made it so.
func recallState(t *testing.T) (*state, answer) {
	t.Helper()
	base, err := New(fuzzStore{}, fuzzRing, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := base.In("t").As(Actor{Kind: Host})
	st := &state{key: Key{"t", "EXI-1"}}
	if err := s.begin(t.Context(), st, StatusInstalled); err != nil {
		t.Fatal(err)
	}
	st.inst.Extension, st.inst.Account = Extension{ID: "EXT-1"}, Account{ID: "ACC-1"}
	st.touch(s, fuzzTime)
	if st.record, err = s.build(st); err != nil {
		t.Fatal(err)
	}
	if st.record, err = s.build(st); err != nil {
		t.Fatal(err)
	}
	a := answer{ID: "EXI-1", Generation: 1, Revision: 2, DataKey: 1, Life: st.life.wire(), Manifest: st.form.manifest}
	return st, a
}

// An outcome is kept in plain but for the manifest and the code in it. What was edited around these, or exchanged for what was sealed at
// another time, is no answer.
func TestRecallRefusesWhatDoesNotAddUp(t *testing.T) {
	// reseal seals the manifest of an answer with a change, as only someone with the data key could.
	reseal := func(t *testing.T, st *state, a *answer, change func(m *manifest)) {
		t.Helper()
		place := crypto.Place{Record: st.key.ID, Kind: kindManifest}
		plain, err := st.dataKey.OpenBinary(nil, place, a.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		m, err := decodeManifest(plain)
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		if a.Manifest, err = st.dataKey.SealBinary(nil, place, m.encode()); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		edit func(st *state, a *answer)
		good bool
	}{
		{"as it was", func(*state, *answer) {}, true},
		{"a later answer, nothing written", func(_ *state, a *answer) { a.Revision++ }, true},
		{"ended without the key", func(_ *state, a *answer) { a.Revision++; a.Life.Status = StatusUninstalled }, true},
		{"manifest of a later revision", func(_ *state, a *answer) { a.Revision-- }, false},
		{"another generation", func(_ *state, a *answer) { a.Generation++ }, false},
		{"life of another generation", func(_ *state, a *answer) { a.Life.Generation++ }, false},
		{"both of another generation", func(_ *state, a *answer) { a.Generation++; a.Life.Generation++ }, false},
		{"purged, with a manifest", func(_ *state, a *answer) { a.Life.Purged = true }, false},
		{"back among the invited", func(_ *state, a *answer) { a.Life.Status = StatusInvited }, false},
		{"manifest of another installation", func(st *state, a *answer) { reseal(t, st, a, func(m *manifest) { m.inst.ID = "EXI-2" }) }, false},
		{"manifest of an ended one", func(st *state, a *answer) {
			reseal(t, st, a, func(m *manifest) { m.life.status = StatusUninstalled })
		}, false},
		{"no manifest", func(_ *state, a *answer) { a.Manifest = nil }, false},
		{"no content in the manifest", func(st *state, a *answer) {
			sealed, err := st.dataKey.SealBinary(nil, crypto.Place{Record: st.key.ID, Kind: kindManifest}, nil)
			if a.Manifest = sealed; err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		st, a := recallState(t)
		test.edit(st, &a)
		was := st.inst
		err := st.recall(a)
		if good := err == nil; good != test.good || !good && (!errors.Is(err, ErrSealed) || st.inst != was) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err == nil && (st.inst.Revision != a.Revision || st.inst.Account.ID != "ACC-1" || st.life.status != a.Life.Status || st.inst.Status != a.Life.Status) {
			t.Errorf("%s: %+v", test.name, st.inst)
		}
	}
}
