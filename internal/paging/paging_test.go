package paging

import (
	"errors"
	"iter"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errTest = errors.New("test")

// numbers returns the elements 0 to 5 in pages of two, and fails instead of the page at fail.
func numbers(after string, fail int) iter.Seq2[int, error] {
	return All(after, func(after string) ([]int, string, error) {
		first, _ := strconv.Atoi(after) // "" is 0
		switch first {
		case fail:
			return nil, "", errTest
		case 4:
			return []int{4, 5}, "", nil
		}
		return []int{first, first + 1}, strconv.Itoa(first + 2), nil
	})
}

func TestAll(t *testing.T) {
	for _, tc := range []struct {
		name, after string
		fail        int
		stop        int // after this element
		want        []int
		err         error
	}{
		{"all pages", "", -1, -1, []int{0, 1, 2, 3, 4, 5}, nil},
		{"from a cursor", "4", -1, -1, []int{4, 5}, nil},
		{"until an error", "", 2, -1, []int{0, 1}, errTest},
		{"until the caller stops", "", -1, 2, []int{0, 1, 2}, nil},
	} {
		seq := numbers(tc.after, tc.fail)
		for range 2 { // each iteration starts at the beginning
			var got []int
			var last error
			for n, err := range seq {
				if last = err; err != nil {
					continue // an iteration that goes on would not end
				}
				if got = append(got, n); n == tc.stop {
					break
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || last != tc.err {
				t.Errorf("%s: error %v (-want +got):\n%s", tc.name, last, diff)
			}
		}
	}
}

func TestMapAndCount(t *testing.T) {
	var got []string
	for text, err := range Map(numbers("", 2), strconv.Itoa) {
		if err != nil {
			text = err.Error() + text
		}
		got = append(got, text)
	}
	if diff := cmp.Diff([]string{"0", "1", "test"}, got); diff != "" {
		t.Errorf("Map (-want +got):\n%s", diff)
	}
	if n, err := Count(numbers("", -1)); n != 6 || err != nil {
		t.Errorf("Count: got %d, %v, want 6", n, err)
	}
	if n, err := Count(numbers("", 2)); n != 0 || err != errTest {
		t.Errorf("Count: got %d, %v, want an error", n, err)
	}
}
