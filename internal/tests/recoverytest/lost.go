package recoverytest

import (
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// lost is what a process was given in a time that a restore then takes back. The backup has the
// installation "kept" with the name "before", and an open invitation "invited".
type lost struct {
	revision int64
	id       string // of an installation
	keyed    installation.Guard
	code     crypto.Secret
	cursor   string
}

// lose does the work that will be lost. The number n tells several times apart.
func lose(t *testing.T, p Process, n int) lost {
	t.Helper()
	l := lost{
		id:    fmt.Sprint("new ", n),
		keyed: installation.Guard{IdempotencyKey: fmt.Sprint("lost ", n)},
	}
	l.revision = p.Install(t, "kept", fmt.Sprint("lost ", n), installation.Guard{}).Revision
	p.Install(t, l.id, "", l.keyed)
	l.code = p.NewCode(t, "invited later", "")
	l.cursor = p.Cursor(t)
	return l
}

// check checks, after the restore was accepted, that a process honours nothing of the lost time.
// The cursor is from before the backup.
func (l lost) check(t *testing.T, p Process, cursor string) {
	t.Helper()
	got, err := p.Service.Get(t.Context(), "kept")
	if err != nil || got.Name != "before" {
		t.Errorf("get: %+v, error %v, want what the backup has", got, err)
	}
	_, err = p.TryInstall(t.Context(), "kept", "x", installation.Guard{Revision: l.revision})
	fixture.WantErr(t, "a guard of the lost time", err, installation.ErrConflict)
	err = p.Redeem(t, "invited later", "ACC-1", l.code)
	fixture.WantErr(t, "a code of the lost time", err, installation.ErrInvitation)
	_, err = p.Events(t.Context(), l.cursor, 1)
	fixture.WantErr(t, "a cursor of the lost time", err, installation.ErrTrimmed)
	_, err = p.Events(t.Context(), cursor, 1)
	fixture.WantErr(t, "a cursor of the backup", err, installation.ErrTrimmed)
	if ids := p.Void(t); len(ids) != 1 || ids[0] != "invited" {
		t.Errorf("void invitations %v", ids)
	}
}

// repeat repeats requests. An idempotency key of the lost time is unknown. The key "before" of the
// backup gets its first answer.
func (l lost) repeat(t *testing.T, p Process, before *installation.Result) {
	t.Helper()
	again := p.Install(t, l.id, "", l.keyed)
	if again.Replayed || !again.Created {
		t.Errorf("%+v, want a request that runs again", again)
	}
	first := p.Install(t, "kept", "before", installation.Guard{IdempotencyKey: "before"})
	if !first.Replayed || first.Revision != before.Revision {
		t.Errorf("%+v, want the answer of revision %d", first, before.Revision)
	}
}
