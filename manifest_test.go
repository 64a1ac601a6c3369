package installation

import (
	"errors"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
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
