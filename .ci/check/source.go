package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Limits of the code.
const (
	maxRootCode      = 20
	maxRootTests     = 10
	maxWidth         = 100
	tabWidth         = 4
	maxFileLines     = 400
	maxFunctionLines = 60
)

// rootCounts counts the files of the root package.
func rootCounts() (out []string, seen string, err error) {
	names, _ := filepath.Glob("*.go") // only a bad pattern is an error
	testNames, _ := filepath.Glob("*_test.go")
	code, tests := len(names)-len(testNames), len(testNames)
	if code > maxRootCode {
		text := fmt.Sprintf("the root has %d code files, %d are allowed", code, maxRootCode)
		out = append(out, text)
	}
	if tests > maxRootTests {
		text := fmt.Sprintf("the root has %d test files, %d are allowed", tests, maxRootTests)
		out = append(out, text)
	}
	return out, fmt.Sprintf("%d code files, %d test files", code, tests), nil
}

// eachFile calls f for every Go file of all modules, tests included. It returns the violations,
// without the exceptions.
func eachFile(
	check string, f func(name string, text []byte) ([]violation, error),
) ([]string, string, error) {
	var found []violation
	files := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "testdata", "node_modules"}, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		files++
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		more, err := f(name, text)
		found = append(found, more...)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	out, err := withoutExceptions(check, found)
	return out, fmt.Sprintf("%d files", files), err
}

// wideLines finds lines over the width. A tab goes to the next tab stop.
func wideLines() ([]string, string, error) {
	return eachFile("width", func(name string, text []byte) (found []violation, err error) {
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			if w := width(strings.TrimRight(line, "\r\n")); w > maxWidth {
				found = append(found, violation{name, fmt.Sprintf("%s:%d: %d columns", name, n, w)})
			}
		}
		return found, nil
	})
}

func width(line string) (columns int) {
	for _, r := range line {
		if r == '\t' {
			columns += tabWidth - columns%tabWidth
		} else {
			columns++
		}
	}
	return columns
}

func longFiles() ([]string, string, error) {
	return eachFile("files", func(name string, text []byte) ([]violation, error) {
		if n := bytes.Count(text, []byte("\n")); n > maxFileLines {
			return []violation{{name, fmt.Sprintf("%s: %d lines", name, n)}}, nil
		}
		return nil, nil
	})
}

func longFunctions() ([]string, string, error) {
	return eachFile("functions", func(name string, text []byte) (found []violation, err error) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			first := fset.Position(d.Pos()).Line
			if n := fset.Position(d.End()).Line - first + 1; n > maxFunctionLines {
				function := d.Name.Name
				if r := receiver(d); r != "" {
					function = r + "." + function
				}
				text := fmt.Sprintf("%s:%d: %s has %d lines", name, first, function, n)
				found = append(found, violation{name + ":" + function, text})
			}
		}
		return found, nil
	})
}

// receiver returns the name of the type that d is a method of, or "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	name, _, _ := strings.Cut(types.ExprString(d.Recv.List[0].Type), "[") // without type parameters
	return strings.TrimPrefix(name, "*")
}
