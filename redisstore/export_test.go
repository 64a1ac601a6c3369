package redisstore

import "fmt"

// Tags for tests outside of the package.

// BucketOf returns the number of the bucket that a tenant lives in, in the form that its hash tag ends in.
func BucketOf(tenant string, buckets int) string {
	return fmt.Sprintf("%02d", keyspace{"", buckets}.of(tenant).number)
}

// MemberID returns the id of the record that a member of an index names.
func MemberID(member string) string {
	e, _ := parseMember(member)
	return e.key.ID
}
