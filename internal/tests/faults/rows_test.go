package faults

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// tableRow is one row of the table "A commit under faults" in docs/faults.md.
type tableRow struct {
	name  string
	op    string
	at    int // the step of the first try
	fault fault
	other string // the second writer, "" for nobody
	later int    // how many steps after the first try the second writer writes
	want  error
}

func tableRows() []tableRow {
	const update, create = "guarded update", "create without id"
	always := func(f fate) fault { return fault{fates: []fate{f}, outage: true} }
	once := func(f fate) fault { return fault{fates: []fate{f}} }
	unknown := installation.ErrUnknownOutcome
	return []tableRow{
		{"plain", update, 1, fault{}, "", 0, nil},
		{"lost-race", update, 1, fault{}, "an update", 0, installation.ErrConflict},
		{"deleted", update, 1, fault{}, "a delete", 0, installation.ErrConflict},
		{"other-epoch", update, 1, fault{}, "an accept", 0, nil},
		{"not-sent", update, 1, once(notSent), "", 0, nil},
		{"refused", update, 1, once(refused), "", 0, nil},
		{"never-sent", update, 1, always(notSent), "", 0, installation.ErrUnavailable},
		{"lost", update, 1, once(lost), "", 0, nil},
		{"very-late", update, 1, once(veryLate), "", 0, nil},
		{"lost-then-update", update, 1, once(lost), "an update", 1, nil},
		{"late-and-beaten", update, 1, once(late), "an update", 1, installation.ErrConflict},
		{"pushed-out", update, 1, once(lost), "eight updates", 1, unknown},
		{"event-pushed-out", "reveal", 1, once(lost), "eight reveals", 1, unknown},
		{"event-and-update", "reveal", 1, once(lost), "eight reveals and an update", 1, unknown},
		{"lost-then-deleted", update, 1, once(lost), "a delete", 1, nil},
		{"lost-then-created", update, 1, once(lost), "delete and create", 1, nil},
		{"lost-then-accept", update, 1, once(lost), "an accept", 1, nil},
		{"lost-then-restored", update, 1, once(lost), "a restore and an accept", 1, nil},
		{"pushed-out-then-accept", update, 1, once(lost),
			"eight updates and an accept", 1, unknown},
		{"lost-for-ever", update, 1, always(lost), "", 0, unknown},
		{"late-for-ever", update, 1, always(veryLate), "", 0, unknown},
		{"claim-taken", create, 0, once(lost), "an update", 0, unknown},
	}
}

// Each row of the table has the answer that the table says.
func TestInvariant2RowsOfCommit(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range tableRows() {
		t.Run(row.name, func(t *testing.T) {
			if !strings.Contains(string(doc), "`"+row.name+"`") {
				t.Error("docs/faults.md does not name this case")
			}
			w := newWalk(t, rules{})
			n := &network{fault: row.fault, faultAt: row.at, otherAt: row.at + row.later}
			r := w.run(startOf(w, row.op), n, writerNamed(row.other))
			if !errors.Is(r.err, row.want) {
				t.Errorf("got error %v, want %v", r.err, row.want)
			}
			for kind, first := range w.first {
				t.Errorf("%s: %s", kind, first)
			}
			if row.other != "" && !r.met {
				t.Error("the second writer did not write")
			}
		})
	}
}

// startOf begins an operation.
func startOf(w *walk, name string) start {
	for _, op := range operations() {
		if op.name == name {
			begun, at := newServer(w.broke), &clock{fixture.Start}
			code := op.begin(w.t, as(w.newService(begun.connect(), at), "begin"))
			return start{op, begun, code, *at}
		}
	}
	w.t.Fatalf("no operation %q", name)
	return start{}
}

// writerNamed returns a second writer, nil if no writer has this name.
func writerNamed(name string) *writer {
	for _, other := range writers() {
		if other.name == name {
			return &other
		}
	}
	return nil
}
