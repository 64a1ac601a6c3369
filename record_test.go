package installation

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/masked"
)

// A table is read as it was written, whatever is in the names, and one that was cut off is refused.
func TestTable(t *testing.T) {
	table := []tableEntry{
		{Ref{RefConfig, "/a\x00b/ü"}, "0123456789abcdef"},
		{Ref{RefConfig, ""}, ""},
		{Ref{RefCredential, PointerAccessToken}, "\x00\xff\x80"},
	}
	written := string(encodeTable(table))
	got, ok := decodeTable(written)
	if diff := cmp.Diff(table, got, cmp.AllowUnexported(tableEntry{})); !ok || diff != "" {
		t.Errorf("%v (-want +got):\n%s", ok, diff)
	}
	ends := map[int]bool{0: true, len(encodeTable(table[:1])): true, len(encodeTable(table[:2])): true}
	for n := range written {
		if _, ok := decodeTable(written[:n]); ok != ends[n] {
			t.Errorf("cut to %d bytes: %v", n, ok)
		}
	}
	for name, s := range map[string]string{"length without end": "\xff\xff\xff\xff\xff", "length beyond all": "\xff\xff\xff\xff\x0fab"} {
		if _, ok := decodeTable(s); ok {
			t.Errorf("%s: taken", name)
		}
	}
}

// A manifest whose table does not read is none, though its seal be good.
func TestManifestWithoutTable(t *testing.T) {
	for name, table := range map[string]cbor.ByteString{"cut off": "\x06config\x02/a", "length beyond all": "\x7f"} {
		if m, err := decodeManifest(encode(manifestV1{ID: "i", Table: table})); !errors.Is(err, ErrSealed) || m != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

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
func TestReplayRejectsInconsistentOutcome(t *testing.T) {
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

// A record whose parts do not fit each other is damaged, whoever sealed it, and no write goes on from it.
func TestWritesRejectInconsistentRecord(t *testing.T) {
	s := &Service{rule: masked.NameRule{}, schemas: newSchemaCache()}
	sealed := map[Ref][]byte{{RefConfig, "/token"}: nil}
	for name, c := range map[string]struct {
		document string
		values   map[Ref][]byte
		given    string
		want     error
	}{
		"a secret without a place":  {`{"a":1}`, sealed, `{"a":2}`, ErrSealed},
		"a place that is no mask":   {`{"a":1,"token":"x"}`, sealed, `{"a":2}`, ErrSealed},
		"a document that is none":   {`{"a":`, map[Ref][]byte{}, `{"a":2}`, ErrSealed},
		"a data key that is gone":   {`{"a":1}`, map[Ref][]byte{}, `{"token":"x"}`, crypto.ErrDestroyed},
		"a data key, not needed":    {`{"a":1}`, map[Ref][]byte{}, `{"a":2}`, nil},
		"a secret that stays there": {`{"token":"***"}`, sealed, `{"token":"***","a":2}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fresh := func() *state {
				return &state{inst: &Installation{Configuration: &Configuration{Document: maskedDocument([]byte(c.document))}}, values: c.values}
			}
			_, _, err := s.replace(t.Context(), fresh(), RefConfig, "configuration", JSON(c.given))
			if !errors.Is(err, c.want) {
				t.Errorf("replace: got %v, want %v", err, c.want)
			}
			_, err = s.applyOperations(t.Context(), fresh(), []Operation{Set("", JSON(c.given))}, time.Time{})
			if !errors.Is(err, c.want) {
				t.Errorf("operations: got %v, want %v", err, c.want)
			}
			_, err = s.applyConfiguration(t.Context(), fresh(), Value(Configuration{Document: JSON(c.given)}), time.Time{})
			if !errors.Is(err, c.want) {
				t.Errorf("configuration: got %v, want %v", err, c.want)
			}
		})
	}
	refreshed := &state{inst: &Installation{Extra: maskedDocument([]byte(`{"a":1}`))}, values: map[Ref][]byte{{RefExtra, "/token"}: nil}}
	if err := s.refresh(t.Context(), refreshed); !errors.Is(err, ErrSealed) {
		t.Errorf("refresh: got %v", err)
	}
	refreshed.inst.Extra = maskedDocument([]byte(`{`))
	if err := s.refresh(t.Context(), refreshed); !errors.Is(err, ErrSealed) {
		t.Errorf("refresh of no document: got %v", err)
	}
}

// The cache keeps the schemas that were asked for last, and no more than it may.
func TestSchemaCache(t *testing.T) {
	c := newSchemaCache()
	key := func(i int) schemaKey { return schemaKey{"t", "e", fmt.Sprint(i)} }
	known := func(i int) knownSchema { return knownSchema{err: errors.New(fmt.Sprint(i))} }
	for i := range maxSchemas {
		c.put(key(i), known(i))
	}
	if got, ok := c.get(key(0)); !ok || got.err.Error() != "0" {
		t.Fatalf("the first one: %v, %v", got, ok)
	}
	c.put(key(maxSchemas), known(maxSchemas))
	if _, ok := c.get(key(0)); !ok {
		t.Error("one that was just asked for is gone")
	}
	if _, ok := c.get(key(1)); ok {
		t.Error("the one not asked for the longest is still there")
	}
	c.put(key(0), known(7))
	if got, _ := c.get(key(0)); got.err.Error() != "7" || c.order.Len() != maxSchemas || len(c.byKey) != maxSchemas {
		t.Errorf("put again: %v; %d and %d entries", got.err, c.order.Len(), len(c.byKey))
	}
	for _, other := range []schemaKey{{"u", "e", "2"}, {"t", "f", "2"}, {"te", "", "2"}} {
		if _, ok := c.get(other); ok {
			t.Errorf("%v is known", other)
		}
	}
}
