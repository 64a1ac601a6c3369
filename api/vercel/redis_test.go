package vercel_test

import (
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

// newStore opens the empty store of a world. No test of this package runs beside another, so
// one may replace it for a while.
var newStore = func(testing.TB) installation.Store { return memstore.New() }

// TestOnRedis: what holds in memory holds on a real server.
func TestOnRedis(t *testing.T) {
	client, worlds, inMemory := redistest.Start(t).Client(t), 0, newStore
	t.Cleanup(func() { newStore = inMemory })
	newStore = func(t testing.TB) installation.Store {
		worlds++
		s, err := redisstore.Open(t.Context(), client,
			&redisstore.Options{Namespace: fmt.Sprintf("test-%d", worlds)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Endpoints", TestEndpoints}, {"Allow", TestAllow}, {"ETag", TestETag},
		{"Stored", TestUpsertStoresRequest}, {"AccountURL", TestAccountURL},
		{"InitialPlan", TestInitialPlan}, {"FirstAnswer", TestRepeatedRequestGetsFirstAnswer},
		{"OtherRequest", TestReusedKeyIsConflict},
		{"DeleteKeepsItsFirstAnswer", TestDeleteKeepsItsFirstAnswer},
		{"TwoSteps", TestUninstallThenPurge},
		{"Final", TestFinalUninstallPurgesAtOnce}, {"Fresh", TestNewIDAfterUninstall},
		{"TwoOfOneAccount", TestTwoOfOneAccount}, {"Concurrent", TestConcurrentRequests},
		{"AnotherLifeMeanwhile", TestUninstallSparesReinstalled},
		{"Unopenable", TestUninstallWithoutKeys}, {"DocumentedRequest", TestDocumentedRequest},
		{"SeedDocument", TestSeedDocument},
		{"Notification", TestNotification}, {"NotifyErrors", TestNotifyReportsErrors},
		{"NotifyBesideWrites", TestNotifyDuringWrites},
		{"NotifyAfterAnother", TestNotifyKeepsOtherMembers},
		{"WithoutPlans", TestWithoutPlans}, {"Webhook", TestWebhook},
		{"WebhookAndDelete", TestWebhookAndDelete},
		{"LateWebhook", TestWebhookOfEarlierGeneration},
		{"Identity", TestBadTokensAreUnauthorized}, {"Accepted", TestValidTokensAreAccepted},
		{"Kinds", TestTokenKindsPerEndpoint},
		{"Accounts", TestOtherAccountsAreNotFound}, {"Tenants", TestOtherIntegrationsAreNotFound},
		{"NothingShows", TestNoSecretInResponsesOrLogs},
	} {
		t.Run(test.name, test.run)
	}
	if worlds == 0 {
		t.Error("no test asked for a store")
	}
}
