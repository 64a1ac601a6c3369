package crashtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/go-installation/installation/boltstore"
)

// boltFile is an open file.
type boltFile struct{ *boltstore.Store }

func (b boltFile) verify(ctx context.Context) error {
	report, err := b.Verify(ctx)
	if err == nil && !report.Clean() {
		err = fmt.Errorf("verify: %v", report.Problems)
	}
	return err
}

// openBolt returns a function that opens a file.
func openBolt(o boltstore.Options) func(string) (checked, error) {
	return func(path string) (checked, error) {
		s, err := boltstore.Open(path, &o)
		return boltFile{s}, err
	}
}

// long multiplies the rounds of the long form.
func long(n int) int {
	if os.Getenv("INSTALLATION_LONG") == "1" {
		return 20 * n
	}
	return n
}

// roundsPerFile is how often the machine crashes before the test begins a new file.
const roundsPerFile = 6

// TestBoltCrash crashes the machine at many points of opens and commits. Nothing that was
// acknowledged is lost, nothing is there in part, and the file is never damaged.
func TestBoltCrash(t *testing.T) {
	var r report
	for seed := range uint64(long(35)) {
		g := newRig(t, "bolt", seed, &r)
		for round := range roundsPerFile {
			if err := g.round(t); err != nil {
				t.Errorf("seed %d, round %d: %v", seed, round, err)
				break
			}
		}
		r.acked += g.model.acked
	}
	t.Log(&r)
	if r.acked == 0 || r.open == 0 || r.loss.Lost == 0 || r.loss.Torn == 0 || r.loss.Undone == 0 {
		t.Error("the crashes hit nothing")
	}
}

// TestBoltControls crashes stores that are not durable. The same checks must find it.
func TestBoltControls(t *testing.T) {
	for name, of := range map[string]rig{
		"NoSync":       {store: "bolt-nosync"},
		"ignored sync": {store: "bolt", liar: true},
	} {
		t.Run(name, func(t *testing.T) {
			var r report
			refused, lost := 0, 0
			const files = 10
			for seed := range uint64(files) {
				g := newRig(t, of.store, seed, &r)
				g.liar = of.liar
				for range roundsPerFile {
					err := g.round(t)
					if err == nil {
						continue
					}
					t.Logf("%d acknowledged; found: %.200v", g.model.acked, err)
					if strings.HasPrefix(err.Error(), "open: ") {
						refused++
						if !strings.Contains(err.Error(), g.folder) {
							t.Errorf("the error does not name the file: %v", err)
						}
					} else {
						lost++
					}
					break
				}
			}
			t.Logf("of %d files %d refused, %d with losses", files, refused, lost)
			if refused+lost == 0 {
				t.Error("no loss was found")
			}
		})
	}
}
