package ampersand_test

import "testing"

// anyStore opens the store of tests that do not use onStores. TestOnRedis replaces it, which is
// safe because the tests of this package do not run in parallel.
var anyStore opener = onMemory

// TestOnRedis runs tests that use anyStore on a real server.
func TestOnRedis(t *testing.T) {
	t.Cleanup(func() { anyStore = onMemory })
	anyStore = onRedis(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"ConsumerInstallsForItsGroup", TestConsumerInstallsForItsGroup},
		{"AuditHasVerifiedCaller", TestAuditHasVerifiedCaller}, {"UnknownMethodsAndPaths",
			TestUnknownMethodsAndPaths}, {"ListConnections", TestListConnections},
		{"CredentialsOnlyOnRequest", TestCredentialsOnlyOnRequest},
		{"RefreshReplacesAccessToken", TestRefreshReplacesAccessToken},
		{"ConnectionMaskReplacesNamedFields", TestConnectionMaskReplacesNamedFields},
		{"GenerateConnection", TestGenerateConnection},
		{"IntegrationsAndRevisions", TestIntegrationsAndRevisions},
		{"ConnectionRejectsRevisions", TestConnectionRejectsRevisions},
		{"InvalidContentPatchChangesNothing", TestInvalidContentPatchChangesNothing},
		{"PauseMoreObjectsThanOneWriteTakes", TestPauseMoreObjectsThanOneWriteTakes},
		{"HostFailuresHideDetails", TestHostFailuresHideDetails}, {"OperationsAreTheHosts",
			TestOperationsAreTheHosts}, {"DamagedRecordIsLeftOutOfLists",
			TestDamagedRecordIsLeftOutOfLists},
		{"DeleteInstallationWithLostKey", TestDeleteInstallationWithLostKey},
		{"InvalidCreateSavesNothing", TestInvalidCreateSavesNothing}, {"CreateDefaults",
			TestCreateDefaults},
		{"UninstalledIsNotFound", TestUninstalledIsNotFound},
		{"HealthStatus", TestHealthStatus}, {"NoSecretInResponsesOrLogs",
			TestNoSecretInResponsesOrLogs},
		{"IssuesNamePlaceInRequest", TestIssuesNamePlaceInRequest}, {"SampleChangedObjects",
			TestSampleChangedObjects}, {"InstallationMadeByHost", TestInstallationMadeByHost},
		{"TokenRules", TestTokenRules}, {"APIKeyRules", TestAPIKeyRules},
		{"InvalidMaskChangesNothing", TestInvalidMaskChangesNothing},
		{"SameValueIsNoNewConfiguration", TestSameValueIsNoNewConfiguration},
		{"UpdateUsesLatestRevision", TestUpdateUsesLatestRevision},
	} {
		t.Run(test.name, test.run)
	}
}
