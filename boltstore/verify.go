package boltstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// ProblemKind says what is wrong.
type ProblemKind string

// Kinds of problems. Nothing repairs them: restore a copy.
const (
	// ProblemDamagedPage is a page with content that bbolt never writes, a page in use twice,
	// or one that is in use and listed as free. Verify does not see what is below the page.
	ProblemDamagedPage ProblemKind = "damaged-page"
	// ProblemDamagedValue is a value that does not match its checksum or cannot be read.
	ProblemDamagedValue ProblemKind = "damaged-value"
	// ProblemMissingKey is a list position, a claim or another key that a record, an outcome or an
	// event should have.
	ProblemMissingKey ProblemKind = "missing-key"
	// ProblemStaleKey is a key that belongs to no record, outcome or event.
	ProblemStaleKey ProblemKind = "stale-key"
)

// MaxProblems limits [VerifyReport.Problems].
const MaxProblems = 1000

// Problem is something that [Store.Verify] has found. It contains no body and no claim.
type Problem struct {
	Kind   ProblemKind
	Bucket string           // of the file; empty for the pages that no bucket has
	Key    installation.Key // of the record, if it is known
	Detail string           // for people
}

// String returns the problem as one line.
func (p Problem) String() string {
	if p.Bucket == "" {
		return fmt.Sprintf("%s: %s", p.Kind, p.Detail)
	}
	return fmt.Sprintf("%s in the bucket %q: %s", p.Kind, p.Bucket, p.Detail)
}

// VerifyReport is the result of [Store.Verify].
type VerifyReport struct {
	Pages    int64 // that are in use or free
	Records  int64 // records and tombstones that were checked
	Outcomes int64 // outcomes that were checked
	Events   int64 // events that were checked

	Problems []Problem             // the first [MaxProblems]
	Found    map[ProblemKind]int64 // how many problems there are of each kind
}

// Clean reports whether there were no problems.
func (r VerifyReport) Clean() bool { return len(r.Found) == 0 }

// Verify reads the whole file and checks it: every page, the list of free pages, the checksum of
// every value, and that records, outcomes and events have their keys in the other buckets and no
// key is left over.
//
// Verify checks the state at its beginning. Commits can run meanwhile. A commit that has to grow
// the file waits until Verify is done, even if its context ends. Verify needs memory for one byte
// for each page.
//
// Verify returns the error of the context, or one that matches [installation.ErrUnavailable]. The
// report then covers what was checked before the error.
func (s *Store) Verify(ctx context.Context) (VerifyReport, error) {
	v := &verification{ctx: ctx}
	err := s.viewMeta(ctx, func(t *tx, m boltMeta) error {
		v.s = t.snapshot()
		return v.run(m.freelist)
	})
	if err != nil {
		err = fmt.Errorf("verify: %w", err)
	}
	return v.report, err
}

// VerifyFile is [Store.Verify] for a file that no process has open, such as a copy, or a file that
// [Open] refuses. It changes nothing.
func VerifyFile(ctx context.Context, path string) (VerifyReport, error) {
	v := &verification{ctx: ctx}
	if err := ctx.Err(); err != nil {
		return v.report, err
	}
	err := withFile(path, func(f *os.File, size int64) error {
		s, m, err := inspect(path, f, size)
		if err != nil {
			return err
		}
		v.s = s
		return v.run(m.freelist)
	})
	if err != nil {
		err = fmt.Errorf("verify: %w", err)
	}
	return v.report, err
}

// errOverwritten means that commits have overwritten the meta page of a transaction.
var errOverwritten = errors.New("the meta page was overwritten")

// boltMeta returns the meta page of the transaction.
func (t *tx) boltMeta() (boltMeta, error) {
	info, err := t.file.Stat()
	if err != nil {
		return boltMeta{}, unavailable(t.file.path, err)
	}
	m, err := newestMeta(t.file, info.Size())
	for slot := int64(0); slot < 2 && err == nil && m.tx != uint64(t.ID()); slot++ {
		m, err = readMeta(t.file, slot*int64(t.file.pageSize))
	}
	switch {
	case err != nil:
		return m, damaged(t.file.path, "a meta page: %v", err)
	case m.tx != uint64(t.ID()):
		return m, errOverwritten
	}
	return m, nil
}

// viewMeta is view for an f that needs the meta page of bbolt.
func (s *Store) viewMeta(ctx context.Context, f func(*tx, boltMeta) error) error {
	for {
		overwritten := false
		err := s.view(ctx, func(t *tx) error {
			m, err := t.boltMeta()
			if overwritten = errors.Is(err, errOverwritten); err != nil {
				return err
			}
			return f(t, m)
		})
		if !overwritten {
			return err
		}
	}
}

// verification is one run of Verify.
type verification struct {
	ctx    context.Context
	s      snapshot
	used   []bool // pages that were met
	report VerifyReport
	// Whether keys are missing or left over shows without a search for each: the sum of the hashes
	// of all keys that a bucket should have is the sum over those that it has. Only if the sums
	// differ, a second pass is exact, to name the keys.
	exact  bool
	seed   maphash.Seed
	sums   map[bucket]uint64 // of the keys that a bucket should have, less those that it has
	keys   map[bucket]int64  // how many keys each bucket has
	proven map[bucket]int64  // how many of them belong to a record, an outcome or an event
}

func (v *verification) add(kind ProblemKind, b bucket, key installation.Key, format string,
	args ...any) {
	if v.report.Found == nil {
		v.report.Found = make(map[ProblemKind]int64)
	}
	v.report.Found[kind]++
	if len(v.report.Problems) < MaxProblems {
		v.report.Problems = append(v.report.Problems,
			Problem{Kind: kind, Bucket: string(b), Key: key, Detail: fmt.Sprintf(format, args...)})
	}
}

// run checks everything, a second time if there is a problem.
func (v *verification) run(freelist uint64) error {
	v.seed = maphash.MakeSeed()
	if err := v.pass(freelist); err != nil || v.report.Clean() && v.sumsAgree() {
		return err
	}
	v.report, v.exact = VerifyReport{}, true
	return v.pass(freelist)
}

// pass checks the pages, then the values, then the keys.
func (v *verification) pass(freelist uint64) error {
	v.used = make([]bool, v.s.root.pages.end)
	v.sums = make(map[bucket]uint64)
	v.keys, v.proven = make(map[bucket]int64), make(map[bucket]int64)
	if err := v.freePages(freelist); err != nil {
		return err
	}
	if err := v.level("", v.s.root, v.s.root.root, nil, nil); err != nil {
		return err
	}
	for _, b := range buckets {
		in, err := v.s.root.bucket(b)
		if err != nil {
			v.add(ProblemDamagedPage, b, installation.Key{}, "%v", err)
			continue
		}
		if err := v.level(b, in, in.root, nil, nil); err != nil {
			return err
		}
	}
	for id, used := range v.used {
		if !used && id > 1 {
			v.add(ProblemDamagedPage, "", installation.Key{}, "page %d is neither in use nor free",
				id)
		}
	}
	v.report.Pages = int64(len(v.used))
	return v.staleKeys()
}

// freePages checks the list of free pages.
func (v *verification) freePages(id uint64) error {
	raw, err := v.s.root.pages.read(id)
	if err == nil {
		v.use("", id, uint64(order.Uint32(raw[12:])))
		var free []uint64
		if free, err = v.s.root.pages.freelist(id); err == nil {
			for _, id := range free {
				v.use("", id, 0)
			}
		}
	}
	if err != nil {
		v.add(ProblemDamagedPage, "", installation.Key{}, "the list of free pages: %v", err)
	}
	return v.ctx.Err()
}

// use notes that a page and those after it are in use.
func (v *verification) use(b bucket, id, more uint64) {
	for ; ; id, more = id+1, more-1 {
		if v.used[id] {
			v.add(ProblemDamagedPage, b, installation.Key{}, "page %d is in use twice, or in use "+
				"and free", id)
		}
		v.used[id] = true
		if more == 0 {
			return
		}
	}
}

// level checks a page and what is below it. Its keys have to be from low to below high.
func (v *verification) level(b bucket, in tree, id uint64, low, high storekey.Key) error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	var n page
	var err error
	if id == in.root {
		n, err = in.rootNode()
	} else {
		n, err = in.pages.child(id, low, high)
	}
	if err != nil {
		v.add(ProblemDamagedPage, b, installation.Key{}, "%v", err)
		return nil
	}
	if id != 0 {
		if v.used[id] { // a loop would never end
			v.add(ProblemDamagedPage, b, installation.Key{}, "page %d is in use twice, or in use "+
				"and free", id)
			return nil
		}
		v.use(b, id, n.over)
	}
	for i := range n.count {
		if n.leaf {
			if b != "" {
				v.value(b, n, i)
			}
			continue
		}
		to := high
		if i+1 < n.count {
			to = n.key(i + 1)
		}
		if err := v.level(b, in, n.child(i), n.key(i), to); err != nil {
			return err
		}
	}
	return nil
}
