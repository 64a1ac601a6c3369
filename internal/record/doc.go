// Package record encodes what the stores keep for an installation: the record, the sealed manifest
// in it, and the outcome of an idempotent request. It also computes the index terms by which stores
// list records. It does not know the types of the domain.
//
// All forms are protobuf messages, written and read by hand. docs/record.proto describes them. A
// stored form starts with the version byte 0x02. Without that byte, protoc can decode it:
//
//	tail -c +2 body | protoc --decode=installation.record.Body docs/record.proto
//
// Each message has exactly one encoding, and the reader rejects all others. So a decoded message
// encodes to the same bytes again. The reader treats its input as hostile, because it decodes bytes
// that no seal has authenticated yet.
package record
