package boltstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// checksumSize is the length of the checksum before each value.
const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum returns the checksum of a value. It covers the key and the bucket, so that a value under
// a changed key is noticed too.
func checksum(b bucket, key, value []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(b))
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, value)
}

// seal returns the stored form of a value: its checksum and the value.
func seal(b bucket, key, value []byte) []byte {
	sealed := make([]byte, checksumSize, checksumSize+len(value))
	binary.LittleEndian.PutUint32(sealed, checksum(b, key, value))
	return append(sealed, value...)
}

var errChecksum = errors.New("a value does not match its checksum")

// unseal returns the value in its stored form, without a copy.
func unseal(b bucket, key, sealed []byte) ([]byte, error) {
	if len(sealed) < checksumSize ||
		binary.LittleEndian.Uint32(sealed) != checksum(b, key, sealed[checksumSize:]) {
		return nil, errChecksum
	}
	return sealed[checksumSize:], nil
}
