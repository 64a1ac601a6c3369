package base

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// The shape of a record.
const (
	BodySize     = 2 << 10 // of a sealed record
	ManifestSize = 1326    // of the sealed part that a masked read opens
	SecretSize   = 80      // of one sealed value
	PageSize     = 100
	CountRecords = 1000 // in the store that a count in a larger one is compared with
)

// stored is how many of the records the calls are about, one after the other.
const stored = 1024

// body is what the stores keep.
var body = strings.Repeat("x", BodySize)

// document is the configuration, as JSON of 2 KiB. Four of its ten values are masked.
var document = func() string {
	const format = `{"base_url":"https://api.northwind.example/v2","workspace":"northwind-bikes",` +
		`"region":"eu-1","interval":900,"fields":["sku","stock","price","weight","colour"],` +
		`"client_secret":"***","api_token":"***","webhook_secret":"***","db_password":"***",` +
		`"notes":"%s"}`
	return fmt.Sprintf(format, strings.Repeat("x", BodySize-len(format)+len("%s")))
}()

var numbers atomic.Int64

// newID returns an id of 36 characters that nothing has yet.
func newID() string { return fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", numbers.Add(1)) }

// ids are returned one after the other. A prime step keeps neighbours apart.
type ids struct {
	list []string
	next atomic.Int64
}

func newIDs(n int) *ids {
	list := make([]string, n)
	for i := range list {
		list[i] = newID()
	}
	return &ids{list: list}
}

func (i *ids) id() string { return i.list[int(i.next.Add(1)*7919)%len(i.list)] }
