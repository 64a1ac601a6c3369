package requests

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Check counts the records under each key and reports a missing key.
func TestCheckCountsRecordsAndFindsMissingKey(t *testing.T) {
	w := fixture.NewWorld(t)
	fill(t, w)
	report, err := w.Host.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []installation.KeyCount{{ID: "k1", Primary: true, Records: 8}}
	diff := cmp.Diff(want, report.Keys)
	if diff != "" || report.Records != 8 || !report.OK() {
		t.Errorf("report %+v\n%s", report, diff)
	}
	other, err := crypto.GenerateKey("k2")
	if err != nil {
		t.Fatal(err)
	}
	svc, err := installation.New(w.Store.Store, fixture.RingOf(t, other),
		&installation.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	report, err = svc.As(installation.Actor{Kind: installation.Host}).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range report.Findings {
		found = found || f.Rule == "key-missing" && strings.Contains(f.Detail, "k1")
	}
	if !found {
		t.Errorf("no finding names the missing key of 8 records: %+v", report.Findings)
	}
	_, err = w.Vendor.Check(t.Context())
	fixture.WantErr(t, "check by a vendor", err, installation.ErrForbidden)
}
