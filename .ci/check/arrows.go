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
	"slices"
	"strings"
)

// layers lists the packages from top to bottom. A package is allowed to import packages of lower
// lines. From its own line, it is allowed to import only packages in a folder above or below its
// own folder. "." is the root package, and "api/..." stands for api and everything below it. The
// first line that matches a package counts.
var layers = [][]string{
	{"cmd/...", "examples/..."},
	{"internal/tests/races/...", "internal/tests/recoverytest/..."},
	{"internal/tests/..."},
	{"api/vercel/...", "api/softwareone/...", "api/ampersand/..."},
	{"api/internal/..."},
	{"api/httpapi/..."},
	{"oauth/..."},
	{"patch/..."},
	{"storetest/...", "installationtest/...", "internal/ledger/..."},
	stores,
	{"internal/storekey/...", "internal/storecall/..."},
	{"."},
	{
		"internal/operation/...", "internal/opened/...", "internal/schemasource/...",
		"internal/lease/...", "internal/vault/...",
	},
	{"internal/masked/...", "billing/..."},
	{"internal/classify/..."},
	{"validate/..."},
	{"internal/schema/..."},
	{"internal/outcome/...", "internal/keycheck/..."},
	{
		"internal/record/...", "internal/canonical/...", "internal/keytimeout/...",
		"internal/invite/...",
	},
	{"crypto/...", "kms/...", "event/...", "health/...", "refresh/..."},
	{"internal/accesslog/...", "internal/runner/..."},
	{
		"internal/jsontree/...", "internal/lru/...", "internal/backoff/...", "internal/paging/...",
		"internal/redact/...",
	},
	{"internal/redistest/...", "internal/pgtest/..."},
	{"internal/servertest/..."},
}

// rule forbids that a package in from, unless it is in except, depends on a package in to. If
// direct is true, only imports are forbidden, not dependencies of imports. A name whose first part
// has a dot, or is "testing", is an import path. Any other name, such as "./...", is a folder of
// this module.
type rule struct {
	from, except, to []string
	direct           bool
	because          string
}

// support are the packages that only tests import.
var support = []string{
	"storetest/...", "installationtest/...", "internal/tests/...", "internal/redistest/...",
	"internal/ledger/...", "internal/pgtest/...", "internal/servertest/...",
}

var stores = []string{"memstore/...", "redisstore/...", "boltstore/..."}

var rules = []rule{
	{
		from: []string{"./..."}, except: []string{"internal/tests/..."},
		to: []string{"internal/tests/..."}, because: "suites are for tests alone",
	},
	{
		from: []string{"./..."}, except: support,
		to: []string{"testing", "github.com/google/go-cmp/...", "github.com/alicebob/miniredis/...",
			"go.uber.org/goleak/..."},
		because: "programs are not linked with what only tests need",
	},
	{
		from: []string{"api/..."}, to: stores, because: "the host chooses the store",
	},
	{
		from: []string{"storetest/..."}, to: stores,
		because: "the suite is for every store and prefers none",
	},
	{
		from: []string{"./..."}, except: []string{"memstore/..."}, direct: true,
		to:      []string{"github.com/hashicorp/go-memdb/..."},
		because: "only the store for a database uses its client",
	},
	{
		from:   []string{"./..."},
		except: append([]string{"redisstore/...", "examples/...", "cmd/..."}, support...),
		to:     []string{"github.com/redis/go-redis/..."}, direct: true,
		because: "only the store for a database uses its client",
	},
}

type listed struct {
	ImportPath    string
	Imports, Deps []string
	Standard      bool
}

// modulePath is the path of the module in the working directory.
var modulePath string

// wrongImports returns the imports of this module that break layers or rules. Test files are free
// to import anything.
func wrongImports() ([]string, string, error) {
	packages, err := loadPackages()
	if err != nil {
		return nil, "", err
	}
	standard := make(map[string]bool)
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard
	}
	var out []string
	checked := 0
	for _, p := range packages {
		if !within(modulePath, p.ImportPath) {
			continue
		}
		checked++
		out = append(out, wrongLayer(p)...)
		for _, r := range rules {
			if !matches(r.from, p.ImportPath) || matches(r.except, p.ImportPath) {
				continue
			}
			deps := p.Deps
			if r.direct {
				deps = p.Imports
			}
			for _, dep := range deps {
				if matches(r.to, dep) {
					out = append(out, p.ImportPath+" reaches "+dep+": "+r.because)
				}
			}
		}
		suite := matches([]string{"storetest/..."}, p.ImportPath)
		for _, dep := range p.Imports {
			if suite && !standard[dep] && !within(modulePath, dep) {
				out = append(out, p.ImportPath+" imports "+dep+": the suite has no dependency")
			}
		}
	}
	return out, fmt.Sprintf("%d packages", checked), nil
}

// wrongLayer returns the imports of a package that are not on a lower line.
func wrongLayer(p listed) (out []string) {
	from := layer(p.ImportPath)
	if from < 0 {
		return []string{p.ImportPath + " is on no line of layers in .ci/check/arrows.go"}
	}
	for _, dep := range p.Imports {
		family := within(p.ImportPath, dep) || within(dep, p.ImportPath)
		if to := layer(dep); to >= 0 && (to < from || to == from && !family) {
			out = append(out, p.ImportPath+" imports "+dep+", which is not on a lower line")
		}
	}
	return out
}

// layer returns the index of the line that has a package, or -1 if no line has it.
func layer(importPath string) int {
	return slices.IndexFunc(layers, func(line []string) bool { return matches(line, importPath) })
}

// loadPackages lists the packages of the module and everything that they depend on.
func loadPackages() (packages []listed, err error) {
	out, err := output("go", "list", "-m")
	if err != nil {
		return nil, err
	}
	modulePath = strings.TrimSpace(string(out))
	out, err = output("go", "list", "-deps", "-json=ImportPath,Imports,Deps,Standard", "./...")
	if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
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

// matches reports whether one of the names covers the import path.
func matches(names []string, importPath string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		base, below := strings.CutSuffix(name, "/...")
		first, _, _ := strings.Cut(base, "/")
		if base != "testing" && (first == "." || !strings.Contains(first, ".")) {
			base = path.Join(modulePath, base)
		}
		return importPath == base || below && within(base, importPath)
	})
}

func within(base, importPath string) bool {
	return importPath == base || strings.HasPrefix(importPath, base+"/")
}
