package softwareone_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/memstore"
)

// anyOf is a filter of many patterns on one field, none of which matches what tests write.
func anyOf(op, field string, n int) string {
	var terms []string
	for i := range n {
		terms = append(terms, fmt.Sprintf("%s(%s,*%cQ%c*)", op, field, 'A'+i%26, 'A'+i/26))
	}
	return "or(" + strings.Join(terms, ",") + ")"
}

const tooMany = "there are too many rows to look at: narrow the filter"

// TestListWorkLimit: what a list compares is counted, in patterns times bytes, so that no query
// keeps the server busy whatever the rows hold.
func TestListWorkLimit(t *testing.T) {
	w := newWorld(t, newMemory())
	long := strings.Repeat("\U00010400a", 2048)
	for range 200 {
		w.do(t, "POST", "/installations", vendorToken,
			`{"extension":{"id":"`+stock+`"},"invitation":{"message":"`+long+`"}}`).want(t, 201)
	}
	get := func(query string) reply {
		return w.do(t, "GET", "/installations?limit=0&"+query,
			vendorToken, "")
	}
	for _, query := range []string{anyOf("ilike", "invitation.message", 60),
		anyOf("like", "invitation.message", 60)} {
		get(query).want(t, 200, list(0, 0, 0))
	}
	softwareone.SetMaxWork(w.handler, 50<<20)
	for _, query := range []string{anyOf("ilike", "invitation.message", 60),
		anyOf("like", "invitation.message", 60),
		"not(" + anyOf("ilike", "invitation.message", 60) + ")"} {
		get(query).refused(t, 400, notValid, "query", tooMany)
	}
	for _, query := range []string{anyOf("ilike", "name", 60), "ilike(invitation.message,*x*)",
		"order=name,id", "in(id,(" + strings.Repeat("EXI-0000-0000-0000,", 99) + "x))"} {
		get(query).want(t, 200)
	}
	softwareone.SetMaxWork(w.handler, 1<<20)
	for _, query := range []string{"order=invitation.message,id", "order=-invitation.message"} {
		get(query).refused(t, 400, notValid, "query", tooMany)
	}
	w.do(t, "GET", "/installations?"+anyOf("ilike", "name", 250), vendorToken, "").want(t, 400)
}

// ending is a context that ends when it has been looked at a number of times.
type ending struct {
	context.Context
	looks int
}

func (c *ending) Err() error {
	if c.looks--; c.looks < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestListEndsWithContext: a sort ends with the context, long before it is done.
func TestListEndsWithContext(t *testing.T) {
	compared, err := softwareone.SortIDs(&ending{t.Context(), 3}, 10_000)
	if err != context.DeadlineExceeded || compared > 4*256 {
		t.Errorf("%d comparisons, %v", compared, err)
	}
	compared, err = softwareone.SortIDs(t.Context(), 1000)
	if err != nil || compared < 1000 {
		t.Errorf("%d comparisons, %v", compared, err)
	}
}

// TestPageSize: at most a hundred rows, and no more bytes than an answer may have: the page ends
// early then, and whoever goes on at offset + limit misses nothing.
func TestPageSize(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		for range 101 {
			w.invite(t, pilot)
		}
		for query, rows := range map[string]int{"": 100, "?limit=100": 100, "?limit=1000": 100,
			"?limit=101": 100, "?limit=99": 99, "?offset=100": 1, "?order=id": 100} {
			p := decode[page](t,
				w.do(t, "GET", "/installations"+query, vendorToken, "").want(t, 200).body)
			if len(p.Data) != rows || p.Meta.Pagination.Total != 101 ||
				p.Meta.Pagination.Limit > 100 {
				t.Errorf("%s: %d rows, %+v", query, len(p.Data), p.Meta.Pagination)
			}
		}
	})
	t.Run("bytes", func(t *testing.T) {
		w := newWorld(t, newMemory())
		large := `{"configuration":{"a":"` + strings.Repeat("x", 200_000) + `"}}`
		var want []string
		for range 30 {
			invited, _ := w.invite(t, pilot)
			w.do(t, "PUT", "/installations/"+invited.ID, vendorToken, large).want(t, 200)
			want = append(want, invited.ID)
		}
		for _, query := range []string{"", "&like(id,*)", "&select=-name"} {
			var got []string
			for offset, total := 0, 1; offset < total; {
				r := w.do(t, "GET", fmt.Sprintf("/installations?limit=30&offset=%d%s", offset,
					query), vendorToken, "").want(t, 200)
				if len(r.body) > 5<<20 {
					t.Errorf("%d bytes", len(r.body))
				}
				p := decode[page](t, r.body)
				for _, row := range p.Data {
					got = append(got, row.ID)
				}
				offset, total = offset+max(1, p.Meta.Pagination.Limit), p.Meta.Pagination.Total
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d rows, want %d", query, len(got), len(want))
			}
		}
		p := decode[page](t, w.do(t, "GET", "/installations?limit=30&select=-configuration",
			vendorToken, "").want(t, 200).body)
		if len(p.Data) != 30 || p.Meta.Pagination.Limit != 30 {
			t.Errorf("without the configuration %d rows, %+v", len(p.Data), p.Meta.Pagination)
		}
	})
}

// counting is a store that counts how often a row is read by itself.
type counting struct {
	installation.Store
	gets int
}

func (s *counting) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	s.gets++
	return s.Store.Get(ctx, key)
}

// TestConfigurationOfPage: a list that looks at many rows reads the configuration of those
// alone that it shows.
func TestConfigurationOfPage(t *testing.T) {
	store := &counting{Store: memstore.New()}
	svc, handler, _ := newHandler(t, store, newWorld(t, newMemory()).Now, new(locked))
	host := svc.As(installation.Actor{Kind: installation.Host})
	for i := range 20 {
		if _, err := host.Upsert(t.Context(),
			installation.UpsertRequest{ID: fmt.Sprintf("EXI-0000-0000-%04d", i),
				Parts: installation.Parts{
					Extension: installation.Value(installation.Extension{ID: stock,
						Owner: vendorAccount}),
					Account: installation.Value(installation.Account{ID: fmt.Sprintf("ACC-%04d",
						i)}),
					Configuration: installation.Value(installation.Configuration{
						Document: installation.JSON(`{"warehouse":"EU-2"}`),
					}),
				}}); err != nil {
			t.Fatal(err)
		}
	}
	for query, shown := range map[string]int{"?like(id,*)&limit=3": 3, "?limit=3": 3,
		"?limit=0": 0, "?order=-id&limit=2&offset=18": 2, "?limit=5&select=-configuration": 0} {
		store.gets = 0
		r := httptest.NewRequest(http.MethodGet, "/installations"+query, nil)
		r.Header.Set("Authorization", "Bearer "+vendorToken)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if n := strings.Count(rec.Body.String(), "EU-2"); rec.Code != 200 || n != shown ||
			store.gets != shown {
			t.Errorf("%s: %d, %d configurations in %d reads, want %d", query, rec.Code, n,
				store.gets, shown)
		}
	}
}
