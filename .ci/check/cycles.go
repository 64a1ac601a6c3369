package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// fileCycles prints the files of the root package that use each other in a cycle. An arrow means
// that one file uses a name of another, and one such name is printed for each arrow. fileCycles
// never returns a violation, it only shows where the layers of the package are weak. Methods of
// Service are free to call each other from any file, so these calls make no arrow.
func fileCycles() ([]string, string, error) {
	uses, err := fileUses()
	if err != nil {
		return nil, "", err
	}
	arrows := 0
	for _, to := range uses {
		arrows += len(to)
	}
	cycles := components(uses)
	for _, files := range cycles {
		fmt.Printf("%d files in a cycle: %s\n", len(files), strings.Join(files, " "))
		for _, from := range files {
			for _, to := range slices.Sorted(maps.Keys(uses[from])) {
				if slices.Contains(files, to) {
					fmt.Printf("\t%s -> %s: %s\n", from, to, uses[from][to])
				}
			}
		}
	}
	return nil, fmt.Sprintf("%d files, %d arrows, %d cycles", len(uses), arrows, len(cycles)), nil
}

// fileUses returns, for each file, the other files whose names it uses, with the first name that it
// uses of each. It loads no imports and ignores the errors of the type checker that follow from
// that: names of the package itself resolve without imports.
func fileUses() (map[string]map[string]string, error) {
	fset := token.NewFileSet()
	names, _ := filepath.Glob("*.go") // only a bad pattern is an error
	var files []*ast.File
	uses := make(map[string]map[string]string)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
		uses[name] = make(map[string]string)
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	config := types.Config{Error: func(error) {}, Importer: noImports{}}
	pkg, _ := config.Check("root", fset, files, info)
	byPlace := func(a, b *ast.Ident) int { return cmp.Compare(a.Pos(), b.Pos()) }
	for _, id := range slices.SortedFunc(maps.Keys(info.Uses), byPlace) {
		object := info.Uses[id]
		if object.Pkg() != pkg || !makesArrow(pkg, object) {
			continue
		}
		from, to := fset.Position(id.Pos()).Filename, fset.Position(object.Pos()).Filename
		if from != to && uses[from][to] == "" {
			uses[from][to] = object.Name()
		}
	}
	return uses, nil
}

// makesArrow reports whether a use of an object makes an arrow. It does if the object is declared
// at the top level, or is a method of a type other than Service.
func makesArrow(pkg *types.Package, object types.Object) bool {
	f, ok := object.(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		return object.Parent() == pkg.Scope()
	}
	t := f.Signature().Recv().Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := t.(*types.Named)
	return ok && named.Obj().Name() != "Service"
}

// noImports answers every import with an empty package.
type noImports struct{}

// Import implements [types.Importer].
func (noImports) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, path[strings.LastIndex(path, "/")+1:])
	p.MarkComplete()
	return p, nil
}

// components returns the sets of files that reach each other, largest first.
func components(uses map[string]map[string]string) (cycles [][]string) {
	reached := make(map[string]map[string]bool)
	for from := range uses {
		seen, open := make(map[string]bool), []string{from}
		for len(open) > 0 {
			next := open[0]
			open = open[1:]
			for to := range uses[next] {
				if !seen[to] {
					seen[to] = true
					open = append(open, to)
				}
			}
		}
		reached[from] = seen
	}
	placed := make(map[string]bool)
	for _, from := range slices.Sorted(maps.Keys(uses)) {
		var cycle []string
		for to := range reached[from] {
			if reached[to][from] && !placed[to] {
				cycle = append(cycle, to)
				placed[to] = true
			}
		}
		if len(cycle) > 1 {
			slices.Sort(cycle)
			cycles = append(cycles, cycle)
		}
	}
	slices.SortStableFunc(cycles, func(a, b []string) int { return len(b) - len(a) })
	return cycles
}
