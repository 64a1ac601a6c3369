// Arrows checks which package of this module may know of which. Only what a program is linked with counts: test files may
// import what they like.
//
//	go run .ci/arrows.go
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
)

// A rule forbids the packages named by from, but for those named by exempt, to reach the packages named by to, but for those
// named by allowed, directly or through others. Names are relative to the module: "." is the root package, and "api/..."
// stands for api and everything below it. A name with a dot in its first part is an import path as it stands, and so is
// "testing".
type rule struct {
	from, exempt []string
	to, allowed  []string
	because      string
}

var rules = []rule{
	{
		from:    []string{"crypto/..."},
		to:      []string{"./..."},
		allowed: []string{"crypto/...", "internal/..."},
		because: "crypto is a leaf that knows nothing of installations",
	},
	{
		from:    []string{"validate/..."},
		to:      []string{"./..."},
		allowed: []string{"validate/...", "internal/..."},
		because: "validate is a leaf that knows nothing of installations",
	},
	{
		from: []string{"internal/..."},
		exempt: []string{
			"internal/tests/...", // tests of the root package
		},
		to:      []string{"."},
		because: "internal packages are leaves",
	},
	{
		from:    []string{"./..."},
		exempt:  []string{"internal/tests/..."},
		to:      []string{"internal/tests/..."},
		because: "only tests import what tests share",
	},
	{
		from:    []string{"."},
		to:      []string{"memstore/...", "redisstore/...", "storetest/...", "api/...", "examples/..."},
		because: "the root package is below its stores and handlers",
	},
	{
		from:    []string{"memstore/..."},
		to:      []string{"redisstore/...", "storetest/...", "api/...", "examples/..."},
		because: "stores know the root package and no sibling",
	},
	{
		from:    []string{"redisstore/..."},
		to:      []string{"memstore/...", "storetest/...", "api/...", "examples/..."},
		because: "stores know the root package and no sibling",
	},
	{
		from:    []string{"storetest/..."},
		to:      []string{"memstore/...", "redisstore/...", "api/...", "examples/..."},
		because: "the suite is for every store and prefers none",
	},
	{
		from: []string{"api/httpapi/..."},
		to: []string{
			"api/vercel/...", "api/softwareone/...", "api/ampersand/...", "memstore/...", "redisstore/...", "storetest/...",
			"examples/...",
		},
		because: "what the handlers share knows none of them",
	},
	{
		from: []string{"api/vercel/..."},
		to: []string{
			"api/softwareone/...", "api/ampersand/...", "memstore/...", "redisstore/...", "storetest/...", "examples/...",
		},
		because: "handlers know the root package and no sibling; which store is the host's choice",
	},
	{
		from:    []string{"api/softwareone/..."},
		to:      []string{"api/vercel/...", "api/ampersand/...", "memstore/...", "redisstore/...", "storetest/...", "examples/..."},
		because: "handlers know the root package and no sibling; which store is the host's choice",
	},
	{
		from:    []string{"api/ampersand/..."},
		to:      []string{"api/vercel/...", "api/softwareone/...", "memstore/...", "redisstore/...", "storetest/...", "examples/..."},
		because: "handlers know the root package and no sibling; which store is the host's choice",
	},
	{
		from: []string{".", "crypto/...", "validate/...", "memstore/...", "redisstore/...", "api/..."},
		to: []string{
			"testing", "github.com/google/go-cmp/...", "github.com/alicebob/miniredis/...", "github.com/stretchr/testify/...",
			"go.uber.org/goleak/...",
		},
		because: "what only tests need is not linked into programs",
	},
	{
		from:    []string{"."},
		to:      []string{"github.com/hashicorp/go-memdb/...", "github.com/redis/go-redis/..."},
		because: "a database is the business of its store",
	},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func main() {
	module, packages, err := load()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	standard := make(map[string]bool)
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard
	}

	checked, failed := 0, false
	report := func(p listed, dep, because string) {
		fmt.Printf("%s reaches %s: %s\n", p.ImportPath, dep, because)
		failed = true
	}
	for _, p := range packages {
		if !within(module, p.ImportPath) {
			continue
		}
		checked++
		for _, r := range rules {
			if !matches(module, r.from, p.ImportPath) || matches(module, r.exempt, p.ImportPath) {
				continue
			}
			for _, dep := range p.Deps {
				if matches(module, r.to, dep) && !matches(module, r.allowed, dep) {
					report(p, dep, r.because)
				}
			}
		}
		if matches(module, []string{"storetest/..."}, p.ImportPath) {
			for _, dep := range p.Imports {
				if !standard[dep] && !within(module, dep) {
					report(p, dep, "other modules import the suite, so it brings no dependency of its own")
				}
			}
		}
	}
	if failed {
		os.Exit(1)
	}
	fmt.Printf("%d packages keep the rules\n", checked)
}

// load lists the packages of the module in the working directory and everything they are linked with.
func load() (module string, packages []listed, err error) {
	out, err := output("go", "list", "-m")
	if err != nil {
		return "", nil, err
	}
	module = strings.TrimSpace(string(out))
	out, err = output("go", "list", "-deps", "-json=ImportPath,Imports,Deps,Standard", "./...")
	if err != nil {
		return "", nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return module, packages, nil
		} else if err != nil {
			return "", nil, err
		}
		packages = append(packages, p)
	}
}

func output(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return out, nil
}

// matches reports whether one of the names of a rule covers the import path.
func matches(module string, names []string, importPath string) bool {
	for _, name := range names {
		base, below := strings.CutSuffix(name, "/...")
		if !foreign(base) {
			base = path.Join(module, base)
		}
		if importPath == base || below && within(base, importPath) {
			return true
		}
	}
	return false
}

// foreign reports whether a name in a rule is the import path of another module or of the standard library.
func foreign(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return name == "testing" || first != "." && strings.Contains(first, ".")
}

func within(base, importPath string) bool {
	return importPath == base || strings.HasPrefix(importPath, base+"/")
}
