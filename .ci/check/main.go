// Command check runs the checks of the code's shape that .ci/run names:
//
//	go run ./.ci/check root width files functions documented arrows cycles
//	go test -json ./... | go run ./.ci/check skips
//
// It prints each violation and fails if there is one. The file .ci/exceptions names files and
// functions that are exempt from a check. The file .ci/skips names tests that are allowed to skip.
package main

import (
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

// readList returns the three fields of each line of a list. The last field is a reason and can have
// several words. A missing list is empty.
func readList(name string) (list [][3]string, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 3 {
			return nil, fmt.Errorf("%s: %q has fewer than 3 fields", name, strings.Join(words, " "))
		}
		list = append(list, [3]string{words[0], words[1], strings.Join(words[2:], " ")})
	}
	return list, err
}

// withoutExceptions drops the violations whose subject .ci/exceptions names for the check. It
// reports an exception that is not needed as a violation.
func withoutExceptions(check string, found []violation) (out []string, err error) {
	list, err := readList(".ci/exceptions")
	for _, exception := range list {
		exempt := func(v violation) bool { return v.subject == exception[1] }
		if exception[0] != check {
			continue
		}
		if !slices.ContainsFunc(found, exempt) {
			out = append(out, ".ci/exceptions: "+check+" "+exception[1]+" is not needed")
		}
		found = slices.DeleteFunc(found, exempt)
	}
	for _, v := range found {
		out = append(out, v.text)
	}
	return out, err
}

// violation is what breaks a rule. Its subject is the name of a file, or file:function.
type violation struct{ subject, text string }
