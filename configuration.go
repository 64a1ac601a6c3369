package installation

import "time"

// Configuration is the set of parameters an extension runs with. On writing, only Document is needed: the service keeps or mints
// ID, mints a RevisionID whenever the document changes, and fills in who and when. The host and the platform may give these themselves.
type Configuration struct {
	ID         string
	RevisionID string
	Created    time.Time // of this revision
	CreatedBy  string
	Document   Document // a JSON object

	// Err says why every value in Document is masked: the schema cannot be used. It matches [ErrSchema]; on writing it is ignored.
	Err error
}
