package redisstore

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-installation/installation"
)

// eventID returns the public id of an event: the number of its bucket and its id in the stream. The
// public id is also a cursor in the events of one tenant.
func eventID(b bucket, id string) string { return strconv.Itoa(b.number) + "-" + id }

var errCursor = fmt.Errorf("%w: not a cursor of this log", installation.ErrInvalid)

// eventPosition parses a cursor in the events of one tenant. It returns the id in the stream of b.
func eventPosition(b bucket, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	number, id, _ := strings.Cut(cursor, "-")
	if number != strconv.Itoa(b.number) || !validID(id) {
		return "", errCursor
	}
	return id, nil
}

// logCursor is a cursor in the events of all tenants. Its text looks like this:
// "3/1767225600000-9/0-0,1767225600000-0,+1767225600000-0".
type logCursor struct {
	bucket    int    // to read next
	end       string // the last id to read before the next bucket, "" if none was read yet
	positions []logPosition
}

// logPosition is a position in the log of a bucket.
type logPosition struct {
	id        string // "" before the first page
	inclusive bool   // the entry itself is still to be read
}

// emptyLog is the position in an empty log. No entry has this id.
const emptyLog = "0-0"

func (c logCursor) String() string {
	list := make([]string, len(c.positions))
	for i, p := range c.positions {
		if list[i] = p.id; p.inclusive {
			list[i] = "+" + p.id
		}
	}
	return strconv.Itoa(c.bucket) + "/" + c.end + "/" + strings.Join(list, ",")
}

func parseLogCursor(buckets int, cursor string) (logCursor, error) {
	c := logCursor{positions: make([]logPosition, buckets)}
	if cursor == "" {
		return c, nil
	}
	number, rest, _ := strings.Cut(cursor, "/")
	end, list, _ := strings.Cut(rest, "/")
	ids := strings.Split(list, ",")
	var err error
	c.bucket, err = strconv.Atoi(number)
	if err != nil || c.bucket < 0 || c.bucket >= buckets || len(ids) != buckets {
		return logCursor{}, errCursor
	}
	if c.end = end; end != "" && !validID(end) {
		return logCursor{}, errCursor
	}
	for i, id := range ids {
		id, inclusive := strings.CutPrefix(id, "+")
		if !validID(id) {
			return logCursor{}, errCursor
		}
		c.positions[i] = logPosition{id, inclusive}
	}
	return c, nil
}

// entryID is the id of an entry in a log. The zero value stands for no entry.
type entryID struct{ milliseconds, sequence uint64 }

// less reports whether the entry is before other.
func (id entryID) less(other entryID) bool {
	if id.milliseconds != other.milliseconds {
		return id.milliseconds < other.milliseconds
	}
	return id.sequence < other.sequence
}

// parseID parses an entry id in the form that servers write: "1767225600000-0".
func parseID(text string) (id entryID, ok bool) {
	first, second, _ := strings.Cut(text, "-")
	milliseconds, err1 := strconv.ParseUint(first, 10, 64)
	sequence, err2 := strconv.ParseUint(second, 10, 64)
	if err1 != nil || err2 != nil || text != fmt.Sprintf("%d-%d", milliseconds, sequence) {
		return entryID{}, false
	}
	return entryID{milliseconds, sequence}, true
}

// validID reports whether text is an id after which there can be another one.
func validID(text string) bool {
	id, ok := parseID(text)
	return ok && id.less(entryID{math.MaxUint64, math.MaxUint64})
}
