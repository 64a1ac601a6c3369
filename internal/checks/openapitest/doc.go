// Package openapitest checks the exchanges of a handler's tests against the description that the
// platform publishes. It is a module of its own, so that users of the library do not download the
// validator.
//
// The tests of package ampersand append their exchanges to a file; see recorded in its tests. Here
// they run in a process of their own, and each answer has to fit the description. So does each
// request that was accepted.
//
// The description is not part of this repository. INSTALLATION_AMPERSAND_OPENAPI has its path, or
// else it is ../shared/reference/ampersand-openapi/api.json from the root of the clone. Without the
// file, the tests are skipped.
package openapitest
