// Package record encodes the sealed record: its body, its manifest, the outcome of an
// idempotent request, and the index terms. It knows no type of the domain.
//
// All forms are protobuf messages, written and read by hand. docs/record.proto describes them. A
// stored form starts with the version byte 0x02. Once that byte is removed, protoc shows it:
//
//	tail -c +2 body | protoc --decode=installation.record.Body docs/record.proto
//
// Each message has exactly one encoding, and the reader rejects all others. So a decoded message
// encodes to the same bytes again. The input is hostile until a seal vouches for it.
package record
