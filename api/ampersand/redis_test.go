package ampersand_test

import (
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// anyStore is what a test asks for that is not run on both kinds by itself. No test of this package runs beside another, so one may replace it
// for a while.
var anyStore opener = onMemory

// TestOnRedis: what the tests on memory alone show holds on a real server as well.
func TestOnRedis(t *testing.T) {
	client := redistest.Start(t).Client(t)
	t.Cleanup(func() { anyStore = onMemory })
	anyStore = func(t testing.TB) installation.Store {
		s, err := redisstore.Open(t.Context(), client, &redisstore.Options{Namespace: fmt.Sprintf("test-%d", namespaces.Add(1))})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"ConsumerInstalls", TestConsumerInstalls}, {"Audit", TestAudit}, {"Methods", TestMethods}, {"ListConnections", TestListConnections},
		{"Credentials", TestCredentials}, {"Refresh", TestRefresh}, {"UpdateConnection", TestUpdateConnection}, {"Generate", TestGenerate},
		{"Integrations", TestIntegrations}, {"ConnectionIfMatch", TestConnectionIfMatch}, {"ContentPatchRefused", TestContentPatchRefused},
		{"PauseMany", TestPauseMany}, {"HostFailures", TestHostFailures}, {"Operations", TestOperations}, {"Damaged", TestDamaged},
		{"DamagedEnds", TestDamagedEnds}, {"CreateRefused", TestCreateRefused}, {"CreateChoices", TestCreateChoices},
		{"ListsOnlyWhatIsInstalled", TestListsOnlyWhatIsInstalled}, {"Unhealthy", TestUnhealthy}, {"NothingShows", TestNothingShows},
		{"IssueNames", TestIssueNames}, {"Sampled", TestSampled}, {"MadeByTheHost", TestMadeByTheHost}, {"Tokens", TestTokens}, {"Keys", TestKeys},
		{"MasksRefused", TestMasksRefused}, {"UpdateOfNothing", TestUpdateOfNothing}, {"LatestRevision", TestLatestRevision},
	} {
		t.Run(test.name, test.run)
	}
}
