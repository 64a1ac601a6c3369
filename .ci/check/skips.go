package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
)

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output string }

// unlistedSkips reads the output of go test -json, prints what go test without -json would print,
// and returns the tests that skipped and that .ci/skips does not name.
func unlistedSkips() ([]string, string, error) {
	list, err := readList(".ci/skips")
	if err != nil {
		return nil, "", err
	}
	said := make(map[string][]string) // by test
	var out []string
	tests, skipped := 0, 0
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Println(lines.Text()) // not written by a test
			continue
		}
		test := e.Package + " " + e.Test
		switch {
		case e.Action == "output" && e.Test != "":
			said[test] = append(said[test], e.Output)
		case e.Action == "build-output", e.Action == "output" && !verbose(e.Output):
			// The line about a package without tests has no line feed.
			fmt.Println(strings.TrimSuffix(e.Output, "\n"))
		case e.Test == "":
		case e.Action == "fail":
			tests++
			fmt.Print(strings.Join(said[test], ""))
			delete(said, test)
		case e.Action == "skip":
			tests++
			skipped++
			reason := strings.TrimSpace(strings.Join(slices.DeleteFunc(said[test], marker), ""))
			if !listedSkip(list, e, reason) {
				out = append(out, "skipped, and not in .ci/skips: "+test+": "+reason)
			}
			delete(said, test)
		case e.Action == "pass":
			tests++
			delete(said, test)
		}
	}
	return out, fmt.Sprintf("%d tests, %d skipped", tests, skipped), lines.Err()
}

// verbose reports whether go test prints this line about a package only with -v.
func verbose(line string) bool { return line == "PASS\n" || strings.HasPrefix(line, "coverage: ") }

// marker reports whether a line says which test begins or ends.
func marker(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ")
}

// listedSkip reports whether the list names the test of e, with the reason that the test gave. The
// list names a test by a pattern of [path.Match]. A pattern without a slash covers subtests too.
// The package "*" is any package.
func listedSkip(list [][3]string, e event, reason string) bool {
	return slices.ContainsFunc(list, func(entry [3]string) bool {
		test := e.Test
		if !strings.Contains(entry[1], "/") {
			test, _, _ = strings.Cut(test, "/")
		}
		named, err := path.Match(entry[1], test)
		return err == nil && named && strings.Contains(reason, entry[2]) &&
			(entry[0] == "*" || strings.HasSuffix("/"+e.Package, "/"+entry[0]))
	})
}
