package installation_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The Go code of the README is the body of Example, which is compiled and run.
func TestReadmeShowsExample(t *testing.T) {
	readme := readText(t, "README.md")
	_, rest, ok := strings.Cut(readme, "```go\n")
	shown, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("README.md has no Go code")
	}
	if diff := cmp.Diff(exampleBody(t, "Example"), shown); diff != "" {
		t.Errorf("README.md differs from Example in example_test.go (-want +got):\n%s", diff)
	}
}

// exampleBody returns the source text of an example, one tab less indented.
func exampleBody(t *testing.T, name string) string {
	t.Helper()
	const path = "example_test.go"
	source := readText(t, path)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == name {
			start := files.Position(f.Body.Lbrace).Offset + 1
			body := source[start:files.Position(f.Body.Rbrace).Offset]
			return strings.ReplaceAll(strings.TrimPrefix(body, "\n\t"), "\n\t", "\n")
		}
	}
	t.Fatalf("%s has no function %s", path, name)
	return ""
}

// The files that the documents link to exist.
func TestDocumentLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, document := range []string{
		"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
	} {
		for _, m := range link.FindAllStringSubmatch(readText(t, document), -1) {
			if _, err := os.Stat(filepath.FromSlash(m[1])); err != nil {
				t.Errorf("%s links to %s: %v", document, m[1], err)
			}
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
