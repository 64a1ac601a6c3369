package lease

import (
	"encoding/hex"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/google/go-cmp/cmp"
)

var since = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)

func states() map[string]State {
	return map[string]State{
		"sending": {
			Kind: Sending, Holder: "\xff\x00", Credential: 1, Epoch: 2, Duration: time.Minute,
		},
		"without tokens": {Kind: Sending, Holder: "h", Duration: time.Microsecond},
		"doubtful":       {Kind: Doubtful, Credential: math.MaxInt64, Epoch: 1, Reason: "lost"},
		"failed": {
			Kind: Failed, Credential: 3, Reason: "invalid_grant", Since: since, Attempts: 4,
		},
		"longest": {Kind: Sending, Duration: math.MaxInt64 / 1000 * time.Microsecond},
	}
}

func TestCodeReturnsWhatWasEncoded(t *testing.T) {
	for name, want := range states() {
		var got State
		if err := record.Decode(record.Append(nil, &want, Code), &got, Code); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" || !Same(&want, &got) {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCodeRejects(t *testing.T) {
	micros := int64(math.MaxInt64/1000 + 1)
	tooLong := record.Append(nil, &micros, func(c *record.Coder, n *int64) {
		record.Int(c, 1, new(Sending))
		record.Int(c, 5, n)
	})
	for name, input := range map[string]string{
		"no kind":             "1801",
		"unknown kind":        "0804",
		"explicit zero kind":  "0800",
		"kind beyond a byte":  "088102",
		"reason not UTF-8":    "0802" + "3201ff",
		"descending fields":   "1801" + "0801",
		"unknown field":       "0801" + "4801",
		"duration too long":   hex.EncodeToString(tooLong),
		"duration far below":  "0801" + "2880808080808080808001",
		"cut in the middle":   "080118",
		"kind of a wire type": "0a0101",
	} {
		b, err := hex.DecodeString(input)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var s State
		if err := record.Decode(b, &s, Code); !errors.Is(err, crypto.ErrSealed) {
			t.Errorf("%s: accepted as %+v, %v", name, s, err)
		}
	}
}

func TestSameComparesEachField(t *testing.T) {
	base := State{
		Kind: Failed, Holder: "h", Credential: 1, Epoch: 2, Duration: time.Second, Reason: "r",
		Since: since, Attempts: 3,
	}
	elsewhere := base
	elsewhere.Since = since.In(time.FixedZone("east", 3600))
	if !Same(&base, &elsewhere) || !Same(nil, nil) {
		t.Error("the same states are told apart")
	}
	if Same(&base, nil) || Same(nil, &base) {
		t.Error("a state is the same as none")
	}
	for name, change := range map[string]func(*State){
		"kind":       func(s *State) { s.Kind = Doubtful },
		"holder":     func(s *State) { s.Holder = "i" },
		"credential": func(s *State) { s.Credential++ },
		"epoch":      func(s *State) { s.Epoch++ },
		"duration":   func(s *State) { s.Duration++ },
		"reason":     func(s *State) { s.Reason = "s" },
		"since":      func(s *State) { s.Since = s.Since.Add(time.Microsecond) },
		"attempts":   func(s *State) { s.Attempts++ },
	} {
		other := base
		change(&other)
		if Same(&base, &other) {
			t.Errorf("states with another %s are the same", name)
		}
	}
}

func TestOf(t *testing.T) {
	s := &State{Kind: Failed, Credential: 2}
	if !s.Of(Failed, 2) || s.Of(Failed, 1) || s.Of(Sending, 2) || (*State)(nil).Of(Failed, 0) {
		t.Errorf("Of is wrong about %+v", s)
	}
}
