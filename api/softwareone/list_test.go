package softwareone_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
)

// catalogue fills a world with rows of known content and returns their ids by a letter.
func (w *world) catalogue(t *testing.T) map[string]string {
	t.Helper()
	ids := make(map[string]string)
	a := w.install(t, clientToken, stock)
	ids["a"] = a.ID
	b := w.do(t, "POST", "/installations", client2Token,
		fmt.Sprintf(`{"extension":{"id":%q}}`, stock)).want(t, 201).row(t)
	ids["b"] = b.ID
	c, _ := w.invite(t, stock)
	ids["c"] = c.ID
	d := w.install(t, clientToken, ledger)
	ids["d"] = d.ID
	w.do(t, "DELETE", "/installations/"+d.ID, opsToken, "").want(t, 204)
	e, code := w.invite(t, pilot)
	ids["e"] = e.ID
	w.do(t, "POST", "/installations/"+e.ID+"/redeem", client2Token,
		`{"code":"`+code+`","modules":[{"id":"MOD-0112"},{"id":"MOD-0478"}]}`).want(t, 200)
	return ids
}

// filterCases are queries with the letters of the matching rows, in their order.
var filterCases = []struct{ query, want string }{
	{"", "abcde"},
	{"&&", "abcde"},
	{"eq(status,Installed)", "abe"},
	{"status=Installed", "abe"},
	{"status=installed", "abe"},
	{"status='Installed'&", "abe"},
	{"not(status=Installed)", "cd"},
	{"ne(status,Installed)", "cd"},
	{"status=Uninstalled", "d"},
	{"status=Invited", "c"},
	{"status=Expired", ""},
	{"status=Paused", ""},
	{"in(status,(Invited,Uninstalled))", "cd"},
	{"in(status,Invited,Uninstalled)", "cd"},
	{"out(status,(Invited,'Uninstalled'))", "abe"},
	{"or(eq(status,Invited),eq(extension.id,EXT-4410-8001))", "ce"},
	{"eq(extension.id,'" + stock + "')", "abc"},
	{"eq(extension.id," + stock + ")&status=Installed", "ab"},
	{"extension.id=" + stock + "&extension.id=" + ledger, ""},
	{"and(eq(account.id,'" + clientAccount + "'),eq(status,Installed))", "a"},
	{"account.id=" + clientAccount, "ad"},
	{"account.id=" + vendorAccount, "c"},
	{"account.id=ACC-0", ""},
	{"account.type=client", "abde"},
	{"ne(account.name,\"Harbor Foods\")", "bce"},
	{"name=Stock%20Sync", "abc"},
	{"name=Stock Sync", "abc"},
	{"eq(name,'stock sync')", ""},
	{"like(name,Stock*)", "abc"},
	{"like(name,stock*)", ""},
	{"ilike(name,stock*)", "abc"},
	{"ilike(name,*E*)", "d"},
	{"ilike(name,sync)", "abc"},
	{"ilike(name,\"*o*k*\")", "abc"},
	{"ilike(status,*install*)", "abde"},
	{"like(name,'Stock\\**')", ""},
	{"gt(name,Ledger)", "abce"},
	{"ge(name,Ledger)", "abcde"},
	{"lt(name,Pilot)", "d"},
	{"le(name,Pilot)", "de"},
	{"gt(revision,1)", "de"},
	{"eq(revision,1)", "abc"},
	{"gt(revision,-5)", "abcde"},
	{"modules.id=MOD-0478", "ade"},
	{"ne(modules.id,MOD-0478)", "bc"},
	{"in(modules.id,(MOD-0112))", "e"},
	{"eq(modules,empty())", "bc"},
	{"any(modules,id=MOD-0478)", "ade"},
	{"any(modules,and(id=MOD-0478,id=MOD-0112))", ""}, // both of one item
	{"any(modules,and(ne(id,MOD-0478),ilike(id,mod*)))", "e"},
	{"any(modules,name=null())&status=Installed", "ae"},
	{"any(modules)", "ade"},
	{"all(modules,eq(id,MOD-0478))", "abcd"},
	{"and(any(modules),all(modules,eq(id,MOD-0478)))", "ad"},
	{"not(any(modules))", "bc"},
	{"any(terms)", ""},
	{"all(terms,id=TRM-1)", "abcde"},
	{"eq(invitation,null())", "abd"},
	{"ne(invitation,null())", "ce"},
	{"invitation.externalId=crm-5521", "ce"},
	{"ne(invitation.externalId,crm-5521)", "abd"},
	{"invitation.externalId=null()", "abd"},
	{"invitation.validity.period=7d", "ce"},
	{"eq(invitation.status,Invited)", "c"},
	{"eq(extension.icon,empty())", ""},
	{"eq(account.icon,null())", "abde"},
	{"select=audit&ne(audit.uninstalled,null())", "d"},
	{"select=audit&eq(audit.installed,null())", "c"},
	{"select=audit&audit.created.by.id=TKN-0002-0001", "ad"},
	{"select=audit&audit.installed.of.id=" + otherClient, "be"},
	{"select=audit&gt(audit.created.at,\"2026-05-02T08:00:00.002Z\")", "cde"},
	{"select=audit&ge(audit.created.at,2026-05-02T08:00:00.002%2B00:00)", "bcde"},
	{"select=audit&ge(audit.created.at,2026-05-02T08:00:00.002+00:00)", "bcde"},
	{"select=audit&lt(audit.created.at,2026-05-02T10:00:00.002+02:00)", "a"},
	{"select=audit&and(gt(audit.created.at,2026-05-02),lt(audit.created.at,2026-05-03T00:00:00))",
		"abcde"},
	{"select=audit&order=-audit.created.at", "edcba"},
	{"select=audit&order=audit.created.at", "abcde"},
	{"select=audit&order=-audit.created.at&status=Installed", "eba"},
	{"select=audit&order=-audit.created.at&extension.id=" + stock, "cba"},
	{"order=name", "deabc"},
	{"order=+name,-id&limit=2", "de"},
	{"order=-name,account.name", "abced"},
	{"order=-name,-account.name", "cbaed"},
	{"order=-status,name&limit=3&offset=1", "cea"},
	{"order=%2Bname", "deabc"},
	{"limit=2", "ab"},
	{"limit=2&offset=2", "cd"},
	{"limit=2&offset=4", "e"},
	{"limit=2&offset=5", ""},
	{"offset=2000000000", ""},
	{"limit=2000000000&offset=3", "de"},
	{"status=Installed&limit=1&offset=1", "b"},
	// as Python's requests and httpx send filters and render()
	{"any%28modules%2Cid%3DMOD-0112%29=&limit=100&offset=0", "e"},
	{"ilike%28name%2C%2AStock+S%2A%29=&order=%2Daccount.name", "cba"},
	{"eq(status,'Installed')&render%28%29=", "abe"},
	{"and%28eq%28status%2CInstalled%29%2Cname%3D%27Pilot%27%29", "e"},
}

// TestFilters: each query and the rows that it names, by letter, in order.
func TestFilters(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		ids := w.catalogue(t)
		for _, tt := range filterCases {
			t.Run(tt.query, func(t *testing.T) {
				got := decode[page](t,
					w.do(t, "GET", "/installations?"+strings.ReplaceAll(tt.query, " ", "%20"),
						opsToken, "").want(t, 200).body)
				var letters string
				for _, r := range got.Data {
					for letter, id := range ids {
						if id == r.ID {
							letters += letter
						}
					}
				}
				if letters != tt.want {
					t.Errorf("rows %q, want %q", letters, tt.want)
				}
				if !strings.Contains(tt.query, "limit") && !strings.Contains(tt.query,
					"offset") && got.Meta.Pagination.Total != len(tt.want) {
					t.Errorf("%d in all, want %d", got.Meta.Pagination.Total, len(tt.want))
				}
			})
		}
	})
}

// TestBadQueries: what is no query, and what is one that cannot be answered, is 400 and says
// where.
func TestBadQueries(t *testing.T) {
	w := newWorld(t, newMemory())
	w.install(t, clientToken, stock)
	const unknown, needsAudit = "Unknown expression group.", "needs select=audit"
	tests := []struct{ query, field, detail string }{
		{"rql=eq(name,x)", "query", "this does not belong here, at byte 6"},
		{"rql=x", "rql", unknown},
		{"eq(nothing,x)", "nothing", unknown},
		{"eq(Name,x)", "Name", unknown},
		{"configuration.warehouse=EU-2", "configuration.warehouse", unknown},
		{"ne(configuration,null())", "configuration", unknown},
		{"invitation.code=x", "invitation.code", unknown},
		{"like(invitation.url,*a*)", "invitation.url", unknown},
		{"order=nothing", "nothing", unknown},
		{"order=invitation.code", "invitation.code", unknown},
		{"order=extension", "extension", "cannot be ordered by"},
		{"select=nothing", "nothing", unknown},
		{"select=-configuration.warehouse", "configuration.warehouse", unknown},
		{"or(eq(name,x),not(eq(other,y)))", "other", unknown},
		{"gt(audit.created.at,2026-01-01)", "audit.created.at", needsAudit},
		{"order=-audit.created.at", "audit.created.at", needsAudit},
		{"select=-audit&order=-audit.created.at", "audit.created.at", needsAudit},
		{"select=audit&gt(audit.created.at,yesterday)", "audit.created.at",
			"must be compared with a time such as 2026-01-31T23:00:00.000Z"},
		{"revision=one", "revision", "must be compared with a whole number"},
		{"ilike(revision,1*)", "revision", "is no text to compare with a pattern"},
		{"extension=x", "extension", "can be compared with null() and empty() alone"},
		{"gt(name,null())", "name", "null() and empty() are for eq and ne"},
		{"in(name,(a,null()))", "name", "null() and empty() are for eq and ne"},
		{"limit=-1", "query", "a number is missing, or is too large, at byte 6"},
		{"limit=", "query", "a number is missing, or is too large, at byte 6"},
		{"offset=99999999999", "query", "a number is missing, or is too large, at byte 18"},
		{"limit=1&limit=2", "query", "limit and offset can be given once, at byte 14"},
		{"some(modules,id=x)", "query", "unknown operator, at byte 5"},
		{"any(name,id=x)", "name", "is no collection"},
		{"any(nothing,id=x)", "nothing", unknown},
		{"any(modules,modules.id=x)", "modules.modules.id", unknown},
		{"any(modules,all(terms,id=x))", "modules.terms", unknown},
		{"any(modules,MOD-0478)", "query", "neither an operator nor field=value, at byte 20"},
		{"all(modules)", "query", "a comma is missing, at byte 11"},
		{"name=%zz", "query", "a percent sign without two hexadecimal digits, at byte 0"},
		{"name=%ff", "query", "the query is not UTF-8, at byte 0"},
		{"name=%00", "query", "a control character, at byte 5"},
		{strings.Repeat("name=x&", 2000), "query", "the query is too long, at byte 0"},
		{strings.Repeat("not(", 20) + "name=x" + strings.Repeat(")", 20), "query",
			"the query is too deep, at byte 68"},
	}
	for _, tt := range tests {
		for _, token := range []string{clientToken, vendorToken, opsToken, noneToken,
			stockSecret} {
			for _, path := range []string{"/installations?",
				"/extensions/" + stock + "/installations?"} {
				w.do(t, "GET", path+tt.query, token, "").
					refused(t, 400, notValid, tt.field, tt.detail)
			}
		}
	}
}

// TestSelect: fields are added to the default ones and left out of them; the last word counts.
func TestSelect(t *testing.T) {
	w := newWorld(t, newMemory())
	inst := w.install(t, clientToken, stock)
	const ext, acc = `"extension":{"id":"EXT-4410-7725","name":"Stock Sync",` +
		`"icon":"/static/EXT-4410-7725/icon.png","revision":3}`,
		`"account":{"id":"ACC-8834-0012","name":"Harbor Foods","type":"Client",` +
			`"status":"Enabled","revision":5}`
	head := `"id":"` + inst.ID + `","name":"Stock Sync","revision":1,"status":"Installed",`
	const created = `{"at":"2026-05-02T08:00:00.001Z"}`
	const audit = `"created":{"at":"2026-05-02T08:00:00.001Z","by":{"id":"TKN-0002-0001",` +
		`"name":"token TKN-0002-0001"},"of":{"id":"ACC-8834-0012","name":"Harbor Foods"}}`
	full := head + ext + "," + acc + `,"modules":[{"id":"MOD-0478"}]`
	tests := []struct{ terms, row, omitted string }{
		{"", full, `"audit"`},
		{"+id,+name", full, `"audit"`},
		{"+extension.id", full, `"audit"`}, // the rest is a default field
		{"audit.created", full + `,"audit":{` + audit + `}`, ``},
		{"+audit.created.at", full + `,"audit":{"created":` + created + `}`, ``},
		{"-modules,-account", head + ext, `"account","modules","audit"`},
		{"-*,+id,+extension.name", `"id":"` + inst.ID + `","extension":{"name":"Stock Sync"}`,
			`"name","revision","status","account","modules","configuration","invitation",` +
				`"terms","audit"`},
		{"-extension.icon,-extension.revision,-account",
			head +
				`"extension":{"id":"EXT-4410-7725","name":"Stock Sync"},` +
				`"modules":[{"id":"MOD-0478"}]`, `"account","audit"`},
		{"-id,+id,audit,-audit", full, `"audit"`},
		{"-modules.id", head + ext + "," + acc + `,"modules":[{}]`, `"audit"`},
	}
	for _, tt := range tests {
		omitted := ""
		if tt.omitted != "" {
			omitted = `,"omitted":[` + tt.omitted + `]`
		}
		query := "/installations?limit=5"
		if tt.terms != "" {
			query += "&select=" + tt.terms
		}
		w.do(t, "GET", query, clientToken, "").
			want(t, 200,
				`{"data":[{`+tt.row+`}],`+
					`"$meta":{"pagination":{"limit":5,"offset":0,"total":1}`+omitted+`}}`)
	}
	w.do(t, "GET", "/installations/"+inst.ID+"?select=-audit", clientToken, "").
		want(t, 200, "{"+full+"}")
	w.do(t, "GET", "/installations/"+inst.ID+"?select=-*,status&whatever=1", clientToken, "").
		want(t, 200, `{"status":"Installed"}`)
	for _, query := range []string{"select=-audit&render()", "select=-audit&render%28%29=",
		"select=%2Did%2C%2Bid%2C-audit&render%28%29="} {
		w.do(t, "GET", "/installations/"+inst.ID+"?"+query, clientToken, "").
			want(t, 200, "{"+full+"}")
	}
	w.do(t, "GET", "/installations?limit=5&offset=0&eq(id,"+inst.ID+")&render()", clientToken,
		"").
		want(t, 200,
			`{"data":[{`+full+`}],"$meta":{"pagination":{"limit":5,"offset":0,"total":1},`+
				`"omitted":["audit"]}}`)
	w.do(t, "GET", "/installations/"+inst.ID+"?select=nothing", clientToken, "").
		refused(t, 400, notValid, "nothing", "Unknown expression group.")
}

// TestPages walks a list as the platform's client does, by offset += limit until total.
func TestPages(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		var want []string
		for range 7 {
			invited, _ := w.invite(t, stock)
			want = append(want, invited.ID)
		}
		for _, query := range []string{"", "&status=Invited", "&eq(extension.id,'" + stock + "')",
			"&order=revision", "&like(name,*)"} {
			for _, token := range []string{vendorToken, opsToken, stockSecret} {
				var got []string
				for offset, total := 0, 1; offset < total; offset += 3 {
					p := decode[page](t,
						w.do(t, "GET", fmt.Sprintf("/installations?limit=3&offset=%d%s", offset,
							query), token, "").want(t, 200).body)
					for _, r := range p.Data {
						got = append(got, r.ID)
					}
					total = p.Meta.Pagination.Total
					if p.Meta.Pagination.Limit != 3 || p.Meta.Pagination.Offset != offset {
						t.Errorf("pagination %+v", p.Meta.Pagination)
					}
				}
				if !slices.Equal(want, got) {
					t.Errorf("%s: %q, want %q", query, got, want)
				}
			}
		}
		w.do(t, "GET", "/installations?limit=0", opsToken, "").want(t, 200, list(0, 0, 7))
		w.do(t, "GET", "/installations?offset=7", opsToken, "").want(t, 200, list(100, 7, 7))
		w.do(t, "GET", "/installations?limit=5000&offset=9", opsToken, "").
			want(t, 200, list(100, 9, 7))
		w.do(t, "GET",
			"/installations?and(eq(extension.id,%27"+ledger+"%27),"+
				"eq(account.id,%27"+clientAccount+"%27))&limit=0", opsToken, "").
			want(t, 200, list(0, 0, 0))
	})
}

const tooManyRows = "there are too many rows to look at: narrow the filter"

// TestScanLimit: what an index serves has no end; what is searched for among the rows has one.
func TestScanLimitIsTenThousandRows(t *testing.T) {
	if softwareone.MaxScan != 10_000 {
		t.Errorf("a search reads at most %d rows", softwareone.MaxScan)
	}
}

func TestScanLimit(t *testing.T) {
	const most = 25
	w := newWorld(t, newMemory())
	softwareone.SetMaxScan(w.handler, most)
	put := func(i int) {
		t.Helper()
		extension := installation.Extension{ID: stock, Owner: vendorAccount}
		account := installation.Account{ID: fmt.Sprintf("ACC-%04d", i)}
		parts := installation.Parts{
			Extension: installation.Value(extension), Account: installation.Value(account),
		}
		id := fmt.Sprintf("EXI-0000-0000-%04d", i)
		request := installation.UpsertRequest{ID: id, Parts: parts}
		if _, err := w.svc.Upsert(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	total := func(query, token string, want int) {
		t.Helper()
		p := decode[page](t,
			w.do(t, "GET", "/installations?limit=1&"+query, token, "").want(t, 200).body)
		if p.Meta.Pagination.Total != want {
			t.Errorf("%s: %d in all, want %d", query, p.Meta.Pagination.Total, want)
		}
	}
	for i := range most - 1 {
		put(i)
	}
	w.install(t, clientToken, stock)
	tokens := []string{opsToken, vendorToken, stockSecret}
	searched := []string{"ilike(id,*x*)", "order=-id", "ne(status,Expired)", "account.id=" +
		operations, "select=audit&order=audit.updated.at", "in(status,(Installed))"}
	for _, query := range searched {
		for _, token := range tokens {
			w.do(t, "GET", "/installations?limit=1&"+query, token, "").want(t, 200)
		}
	}
	put(most)
	for _, query := range searched {
		for _, token := range tokens {
			r := w.do(t, "GET", "/installations?limit=1&"+query, token, "")
			r.refused(t, 400, notValid, "query", tooManyRows)
		}
	}
	for _, token := range tokens {
		total("", token, most+1)
		total("offset=20", token, most+1)
		total("extension.id="+stock, token, most+1)
		total("select=audit&order=-audit.created.at", token, most+1)
		total("account.id="+clientAccount, token, 1)
		total("and(eq(account.id,"+clientAccount+"),like(id,*))&order=id", token, 1)
	}
	total("status=Installed", opsToken, most+1)
	total("status=Invited", opsToken, 0)
	total("like(id,*)", clientToken, 1)
	w.do(t, "GET", "/extensions/"+stock+"/installations?limit=1&offset=20", vendorToken, "").
		want(t, 200)
	w.do(t, "GET", "/installations?offset=100001", opsToken, "").
		want(t, 200, list(100, 100_001, most+1))
}
