// Package record holds the stored form of an installation: what a body consists of, how it is
// encoded, what its manifest vouches for, and the terms that a record is listed under. It knows no
// domain type. docs/record.proto documents the encoding.
//
// A body has a plain part, the lifecycle, which can be written without a key, and sealed parts: the
// manifest and the secrets. The manifest is one sealed value. It contains everything except the
// secrets, and a table of them. So the removal of a secret, the rollback of one field and an edited
// plain value all show.
package record

// version is the first byte of a stored body, outcome and event.
const version = 2
