// Package paging reads lists page by page.
package paging

import "iter"

// All returns the elements of all pages of a list, from the cursor after on. The function list
// returns the page after a cursor, and the cursor of the next page, which is "" on the last one.
// The iteration ends at the first error, which comes with a zero element.
func All[T any](after string, list func(after string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := after; ; {
			page, next, err := list(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, element := range page {
				if !yield(element, nil) {
					return
				}
			}
			if cursor = next; cursor == "" {
				return
			}
		}
	}
}

// Map returns what f makes of each element. An error comes with a zero element.
func Map[T, U any](elements iter.Seq2[T, error], f func(T) U) iter.Seq2[U, error] {
	return func(yield func(U, error) bool) {
		for element, err := range elements {
			var made U
			if err == nil {
				made = f(element)
			}
			if !yield(made, err) {
				return
			}
		}
	}
}

// Count returns the number of elements, or the first error.
func Count[T any](elements iter.Seq2[T, error]) (n int64, err error) {
	for _, err := range elements {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
