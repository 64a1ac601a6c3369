package pgstore

// For tests of package pgstore_test.
var (
	LockNumber = lockNumber
	ErrServer  = errServer
	Fill       = fill
)

// TrimEvery is trimEvery.
const TrimEvery = trimEvery
