package requests

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/validate"
)

// manyTenants is a service on a store with 5 installations in each of 6 tenants.
type manyTenants struct {
	*fixture.World
	store *fixture.Store
	host  *installation.Service // in no tenant that has installations
	keys  []installation.Key    // of all installations
}

// onManyTenants runs a test on a memstore and on a store that is split in parts. All tenants have
// the same IDs of installations.
func onManyTenants(t *testing.T, test func(t *testing.T, m *manyTenants)) {
	for name, store := range map[string]installation.Store{
		"whole":    memstore.New(),
		"in parts": fixture.NewSplitStore(3),
	} {
		t.Run(name, func(t *testing.T) {
			m := &manyTenants{World: fixture.NewWorld(t), store: fixture.NewStore(store)}
			m.host = m.On(t, m.store, fixture.Ring(t)).In("no tenant 0")
			for id := range 5 {
				for tenant := range 6 {
					m.install(t, fmt.Sprintf("tenant %d.%d", tenant, tenant%3), fmt.Sprint(id))
				}
			}
			test(t, m)
		})
	}
}

func (m *manyTenants) install(t *testing.T, tenant, id string) {
	t.Helper()
	m.Advance(time.Second)
	parts := fixture.Parts()
	parts.Account = installation.Value(installation.Account{ID: "ACC-" + id})
	req := installation.UpsertRequest{ID: id, Parts: parts}
	if _, err := m.host.In(tenant).Upsert(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	m.keys = append(m.keys, installation.Key{Tenant: tenant, ID: id})
}

// sorted returns keys in the order of tenants and IDs.
func sorted(keys []installation.Key) []installation.Key {
	return slices.SortedFunc(slices.Values(keys), func(a, b installation.Key) int {
		return slices.Compare([]string{a.Tenant, a.ID}, []string{b.Tenant, b.ID})
	})
}

// pages returns the keys that List returns page by page. It calls between after each page.
func (m *manyTenants) pages(
	t *testing.T, req installation.ListRequest, between func(),
) (keys []installation.Key) {
	t.Helper()
	req.AllTenants = true
	for range 1000 {
		list, err := m.host.List(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, inst := range list.Installations {
			keys = append(keys, installation.Key{Tenant: inst.Tenant, ID: inst.ID})
		}
		if req.After, req.Skip = list.Next, 0; list.Next == "" {
			return keys
		}
		between()
	}
	t.Fatal("the list does not end")
	return nil
}

// AllTenants lists every installation of every tenant once, in one order, masked as Get masks it.
func TestListAllTenants(t *testing.T) {
	onManyTenants(t, func(t *testing.T, m *manyTenants) {
		var order []installation.Key
		for inst, err := range m.host.All(t.Context(), installation.ListRequest{AllTenants: true}) {
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.host.In(inst.Tenant).Get(t.Context(), inst.ID)
			if diff := cmp.Diff(got, inst); err != nil || diff != "" {
				t.Errorf("%s of %s: error %v\n%s", inst.ID, inst.Tenant, err, diff)
			}
			order = append(order, installation.Key{Tenant: inst.Tenant, ID: inst.ID})
		}
		if diff := cmp.Diff(sorted(m.keys), sorted(order)); diff != "" {
			t.Error(diff)
		}
		for _, limit := range []int{1, 4, 30, 1000} {
			got := m.pages(t, installation.ListRequest{Limit: limit}, func() {})
			if diff := cmp.Diff(order, got); diff != "" {
				t.Errorf("limit %d:\n%s", limit, diff)
			}
		}
	})
}

// A filter selects rows of all tenants, and Count counts them.
func TestFilterAllTenants(t *testing.T) {
	onManyTenants(t, func(t *testing.T, m *manyTenants) {
		uninstall := installation.UninstallRequest{ID: "2"}
		if _, err := m.host.In("tenant 4.1").Uninstall(t.Context(), uninstall); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			req  installation.ListRequest
			want int
		}{
			"none":    {installation.ListRequest{}, 30},
			"account": {installation.ListRequest{Account: "ACC-3"}, 6},
			"status":  {installation.ListRequest{Status: []installation.Status{"uninstalled"}}, 1},
			"two":     {installation.ListRequest{Account: "ACC-1", Extension: "EXT-1"}, 6},
			"no row":  {installation.ListRequest{Owner: "nobody"}, 0},
			"statuses": {installation.ListRequest{
				Status: []installation.Status{"uninstalled", "installed"},
			}, 30},
		} {
			c.req.AllTenants, c.req.Limit = true, 4
			n, err := m.host.Count(t.Context(), c.req)
			if err != nil || n != int64(c.want) {
				t.Errorf("%s: count %d, %v, want %d", name, n, err, c.want)
			}
			all := m.pages(t, c.req, func() {})
			if len(all) != c.want {
				t.Errorf("%s: %d rows, want %d", name, len(all), c.want)
			}
			c.req.Skip = 2
			if got := m.pages(t, c.req, func() {}); !slices.Equal(got, all[min(2, c.want):]) {
				t.Errorf("%s: skipped to %v, of %v", name, got, all)
			}
		}
	})
}

// Installations that come or go between pages neither hide nor repeat another one.
func TestListAllTenantsWhileTheyChange(t *testing.T) {
	onManyTenants(t, func(t *testing.T, m *manyTenants) {
		before, n := slices.Clone(m.keys), 0
		gone := map[installation.Key]bool{}
		got := m.pages(t, installation.ListRequest{Limit: 3}, func() {
			gone[before[n]] = true
			req := installation.DeleteRequest{ID: before[n].ID}
			if _, err := m.host.In(before[n].Tenant).Delete(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			m.install(t, fmt.Sprintf("tenant new %d", n%3), fmt.Sprint("new ", n))
			n++
		})
		seen := map[installation.Key]int{}
		for _, key := range got {
			seen[key]++
		}
		for _, key := range m.keys {
			mustSee := slices.Contains(before, key) && !gone[key]
			if seen[key] > 1 || mustSee && seen[key] == 0 {
				t.Errorf("%v was listed %d times", key, seen[key])
			}
		}
	})
}

// A record that does not open is listed with Err and its tenant, and the list goes on.
func TestListAllTenantsPastDamage(t *testing.T) {
	onManyTenants(t, func(t *testing.T, m *manyTenants) {
		damaged := m.keys[7]
		r := m.store.Last(damaged)
		r.Body = installation.BodyFromBytes([]byte("\x01damaged"))
		m.store.Forge(damaged, r)
		failed, n := 0, 0
		for inst, err := range m.host.All(t.Context(), installation.ListRequest{AllTenants: true}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if inst.Err != nil {
				failed++
				if inst.Tenant != damaged.Tenant || inst.ID != damaged.ID {
					t.Errorf("%s of %s: %v", inst.ID, inst.Tenant, inst.Err)
				}
			}
		}
		if n != 30 || failed != 1 {
			t.Errorf("%d rows, %d with an error", n, failed)
		}
	})
}

// Only the host lists across tenants.
func TestListAllTenantsIsForHost(t *testing.T) {
	w := fixture.NewWorld(t)
	req := installation.ListRequest{AllTenants: true}
	for name, svc := range map[string]*installation.Service{
		"nobody": w.Service, "vendor": w.Vendor, "extension": w.Extension,
		"customer": w.Customer, "platform": w.Platform,
	} {
		_, err := svc.List(t.Context(), req)
		fixture.WantErr(t, "list by "+name, err, installation.ErrForbidden)
		_, err = svc.Count(t.Context(), req)
		fixture.WantErr(t, "count by "+name, err, installation.ErrForbidden)
	}
	req.Limit = -1
	_, err := w.Host.List(t.Context(), req)
	fixture.WantViolation(t, err, "limit", validate.RuleRange)
}

// Each tenant has its own schema, also for rows that follow one another in a list.
func TestListAllTenantsAsksForSchemaOfTenant(t *testing.T) {
	var asked []string
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Schema = func(
			_ context.Context, tenant string, _ installation.Extension,
		) (validate.SchemaSource, error) {
			asked = append(asked, tenant)
			return validate.SchemaSource{}, nil
		}
	})
	for _, tenant := range []string{"a", "b", "c"} {
		req := installation.UpsertRequest{ID: "i", Parts: fixture.Parts()}
		if _, err := w.Host.In(tenant).Upsert(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	asked = nil
	_, err := w.Host.List(t.Context(), installation.ListRequest{AllTenants: true})
	if slices.Sort(asked); err != nil || !slices.Equal(asked, []string{"a", "b", "c"}) {
		t.Errorf("asked for %q, %v", asked, err)
	}
}
