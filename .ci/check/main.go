// Command check runs the checks of the code's shape that .ci/run names:
//
//	go run ./.ci/check root width files functions documented arrows cycles
//	go test -json ./... | go run ./.ci/check skips
//
// It prints each violation and fails if there is one. A file or function that .ci/exceptions
// names is exempt from a check, a test that .ci/skips names may skip.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// checks are the checks by name. Each returns its violations and a sentence about what it saw.
var checks = map[string]func() (violations []string, seen string, err error){
	"root":       rootCounts,
	"width":      wideLines,
	"files":      longFiles,
	"functions":  longFunctions,
	"documented": undocumented,
	"arrows":     wrongImports,
	"cycles":     fileCycles,
	"skips":      unlistedSkips,
}

func main() {
	failed := len(os.Args) == 1
	for _, name := range os.Args[1:] {
		check, ok := checks[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "check: no check is called %q\n", name)
			os.Exit(2)
		}
		violations, seen, err := check()
		if err != nil {
			fmt.Fprintf(os.Stderr, "check: %s: %v\n", name, err)
			os.Exit(2)
		}
		for _, v := range violations {
			fmt.Println(v)
		}
		fmt.Printf("%s: %s, violations: %d\n", name, seen, len(violations))
		failed = failed || len(violations) > 0
	}
	if failed {
		os.Exit(1)
	}
}

// readList returns the fields of each line of a list, the last of which is a reason of several
// words. A missing list is empty.
func readList(name string, fields int) ([][]string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list [][]string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) < fields {
			return nil, fmt.Errorf("%s: %q has fewer than %d fields", name, line, fields)
		}
		list = append(list, append(words[:fields-1:fields-1], strings.Join(words[fields-1:], " ")))
	}
	return list, lines.Err()
}

// withoutExceptions drops the violations whose subject .ci/exceptions names for the check. An
// exception that is not needed is a violation too.
func withoutExceptions(check string, found []violation) ([]string, error) {
	list, err := readList(".ci/exceptions", 3)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, exception := range list {
		needed := func(v violation) bool { return v.subject == exception[1] }
		if exception[0] == check && !slices.ContainsFunc(found, needed) {
			text := fmt.Sprintf(".ci/exceptions: %s %s is not needed", check, exception[1])
			out = append(out, text)
		}
	}
	for _, v := range found {
		exempt := func(e []string) bool { return e[0] == check && e[1] == v.subject }
		if !slices.ContainsFunc(list, exempt) {
			out = append(out, v.text)
		}
	}
	return out, nil
}

// violation is what breaks a rule. Its subject is a file, or file:function.
type violation struct{ subject, text string }
