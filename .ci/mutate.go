//go:build ignore

// Mutate breaks the code in one place at a time and looks whether the tests notice. It prints each mutant that no test kills, and
// fails if too few are killed.
//
//	go run .ci/mutate.go                        every mutant of the merge, masking and sealing code
//	go run .ci/mutate.go -sample 200 -seed 7    200 of them, drawn at random
//	go run .ci/mutate.go -files internal/masked/replace.go
//
// The mutants are made from the syntax tree: conditions negated, comparison, arithmetic and logical operators exchanged, numbers
// one up and one down, statements left out, results made zero. One that does not compile is none. The code is copied first and
// the copy is left as it is too: each mutant is an overlay for the go command.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// target is code to be mutated, with the packages whose tests are to notice, in the order in which they are asked.
type target struct {
	files string // glob
	tests []string
}

var targets = []target{
	{"internal/masked/*.go", []string{"./internal/masked", ".", "./internal/tests/..."}},
	{"internal/schema/*.go", []string{"./internal/schema", "./internal/masked", ".", "./internal/tests/..."}},
	{"crypto/seal.go", []string{"./crypto", ".", "./internal/tests/..."}},
	{"parts.go", []string{".", "./internal/tests/..."}},
	{"secrets.go", []string{".", "./internal/tests/..."}},
	{"connect.go", []string{".", "./internal/tests/..."}},
	{"schema.go", []string{".", "./internal/tests/..."}},
	{"patch.go", []string{".", "./internal/tests/..."}},
	{"manifest.go", []string{".", "./internal/tests/..."}},
}

// mutant is one change.
type mutant struct {
	file   string
	line   int
	what   string
	source []byte // of the whole file
	tests  []string
}

// Fates of a mutant.
const (
	killed   = "killed"
	survived = "survived"
	none     = "does not compile"
)

func main() {
	sample := flag.Int("sample", 0, "how many mutants to try, drawn at random; 0 = all")
	seed := flag.Uint64("seed", 1, "of the draw")
	files := flag.String("files", "", "only files with one of these, with commas between them, in their names")
	timeout := flag.Duration("timeout", 2*time.Minute, "for the tests of one mutant; one that takes longer is killed")
	jobs := flag.Int("jobs", 2, "mutants tried at once")
	least := flag.Float64("least", 90, "percentage that must be killed")
	flag.Parse()

	dir, err := copyTree(".")
	if err != nil {
		fail(err)
	}
	defer os.RemoveAll(dir)
	var all []mutant
	for _, t := range targets {
		found, err := filepath.Glob(filepath.Join(dir, t.files))
		if err != nil {
			fail(err)
		}
		for _, path := range found {
			if strings.HasSuffix(path, "_test.go") || !named(path[len(dir):], *files) {
				continue
			}
			mutants, err := mutate(dir, path, t.tests)
			if err != nil {
				fail(err)
			}
			all = append(all, mutants...)
		}
	}
	fmt.Printf("%d mutants\n", len(all))
	if *sample > 0 && *sample < len(all) {
		rand.New(rand.NewPCG(*seed, *seed)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:*sample]
		fmt.Printf("%d of them, drawn with seed %d\n", len(all), *seed)
	}

	began := time.Now()
	fates := try(dir, all, *jobs, *timeout)
	counts := make(map[string]int)
	for i, m := range all {
		counts[fates[i]]++
		if fates[i] == survived {
			fmt.Printf("survived %s:%d: %s\n", m.file, m.line, m.what)
		}
	}
	tried := counts[killed] + counts[survived]
	if tried == 0 {
		fail(errors.New("no mutant compiles"))
	}
	percent := 100 * float64(counts[killed]) / float64(tried)
	fmt.Printf("%d killed of %d (%.1f %%), %d do not compile, %s\n", counts[killed], tried, percent, counts[none], time.Since(began).Round(time.Second))
	if percent < *least {
		os.RemoveAll(dir)
		os.Exit(1)
	}
}

// named reports whether a file has one of the parts in its name.
func named(path, parts string) bool {
	return slices.ContainsFunc(strings.Split(parts, ","), func(part string) bool { return strings.Contains(path, part) })
}

// copyTree copies the module, so that mutants are tried on one state of it.
func copyTree(root string) (string, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return "", err
	}
	return dir, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || nested(path)):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, path), 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, path), b, 0o600)
	})
}

// nested reports whether a directory is a module of its own.
func nested(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// try finds out the fate of each mutant.
func try(dir string, all []mutant, jobs int, timeout time.Duration) []string {
	fates := make([]string, len(all))
	next := make(chan int)
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			for i := range next {
				fates[i] = all[i].fate(dir, timeout)
				fmt.Fprintf(os.Stderr, "%d/%d %s %s:%d: %s\n", i+1, len(all), fates[i], all[i].file, all[i].line, all[i].what)
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	wg.Wait()
	return fates
}

// fate runs the tests against the mutant.
func (m mutant) fate(dir string, timeout time.Duration) string {
	tmp, err := os.MkdirTemp("", "mutant")
	if err != nil {
		fail(err)
	}
	defer os.RemoveAll(tmp)
	changed, overlay := filepath.Join(tmp, "mutant.go"), filepath.Join(tmp, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(dir, m.file): changed}})
	if err == nil {
		err = errors.Join(os.WriteFile(changed, m.source, 0o600), os.WriteFile(overlay, replace, 0o600))
	}
	if err != nil {
		fail(err)
	}
	for _, p := range m.tests {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		cmd := exec.CommandContext(ctx, "go", "test", "-overlay="+overlay, "-count=1", "-failfast", "-vet=off", p)
		cmd.Dir = dir
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		cancel()
		switch {
		case err == nil:
		case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
			return none
		default:
			return killed
		}
	}
	return survived
}

// mutator makes the mutants of one file: each is made by changing the syntax tree, printing it, and changing it back.
type mutator struct {
	fset    *token.FileSet
	file    *ast.File
	name    string
	tests   []string
	mutants []mutant
}

func mutate(dir, path string, tests []string) ([]mutant, error) {
	m := &mutator{fset: token.NewFileSet(), tests: tests}
	var err error
	if m.file, err = parser.ParseFile(m.fset, path, nil, parser.ParseComments); err != nil {
		return nil, err
	}
	if m.name, err = filepath.Rel(dir, path); err != nil {
		return nil, err
	}
	ast.Inspect(m.file, m.visit(nil))
	return m.mutants, nil
}

// add records the tree as it is now.
func (m *mutator) add(at token.Pos, what string) {
	var b bytes.Buffer
	if err := format.Node(&b, m.fset, m.file); err != nil {
		return // no Go any more
	}
	m.mutants = append(m.mutants, mutant{m.name, m.fset.Position(at).Line, what, b.Bytes(), m.tests})
}

// visit returns the visitor for what is in a function with these results.
func (m *mutator) visit(results *ast.FieldList) func(ast.Node) bool {
	return func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body != nil {
				ast.Inspect(n.Body, m.visit(n.Type.Results))
			}
			return false
		case *ast.FuncLit:
			ast.Inspect(n.Body, m.visit(n.Type.Results))
			return false
		case *ast.IfStmt:
			m.negate(&n.Cond)
		case *ast.ForStmt:
			if n.Cond != nil {
				m.negate(&n.Cond)
			}
		case *ast.BinaryExpr:
			m.operator(n)
		case *ast.UnaryExpr:
			m.not(n)
		case *ast.BasicLit:
			m.number(n)
		case *ast.BlockStmt:
			m.leaveOut(n.List)
		case *ast.CaseClause:
			for i := range n.List {
				if _, ok := n.List[i].(*ast.BinaryExpr); ok {
					m.negate(&n.List[i])
				}
			}
			m.leaveOut(n.Body)
		case *ast.ReturnStmt:
			m.zero(n, results)
		}
		return true
	}
}

// negate negates a condition. A mere comparison is left to operator.
func (m *mutator) negate(cond *ast.Expr) {
	if b, ok := (*cond).(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) {
		return
	}
	old := *cond
	*cond = &ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: old}}
	m.add(old.Pos(), "condition negated")
	*cond = old
}

var exchange = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND, token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
}

func (m *mutator) operator(n *ast.BinaryExpr) {
	if op, ok := exchange[n.Op]; ok {
		old := n.Op
		n.Op = op
		m.add(n.OpPos, fmt.Sprintf("%s instead of %s", op, old))
		n.Op = old
	}
}

// not takes a negation away.
func (m *mutator) not(n *ast.UnaryExpr) {
	if n.Op == token.NOT {
		old := n.X
		n.X = &ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: old}}
		m.add(n.Pos(), "negation taken away")
		n.X = old
	}
}

func (m *mutator) number(n *ast.BasicLit) {
	v, err := strconv.ParseInt(n.Value, 0, 64)
	if n.Kind != token.INT || err != nil {
		return
	}
	old := n.Value
	for _, to := range []int64{v + 1, v - 1} {
		n.Value = strconv.FormatInt(to, 10)
		m.add(n.Pos(), fmt.Sprintf("%d instead of %s", to, old))
	}
	n.Value = old
}

// leaveOut leaves out statements that are calls, assignments, or the end of something.
func (m *mutator) leaveOut(list []ast.Stmt) {
	for i, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.BranchStmt:
		default:
			continue
		}
		list[i] = &ast.EmptyStmt{Semicolon: s.Pos(), Implicit: true}
		m.add(s.Pos(), "statement left out")
		list[i] = s
	}
}

// zero makes one result the zero value of its type.
func (m *mutator) zero(n *ast.ReturnStmt, results *ast.FieldList) {
	if results == nil {
		return
	}
	var types []ast.Expr
	for _, f := range results.List {
		types = append(types, slices.Repeat([]ast.Expr{f.Type}, max(1, len(f.Names)))...)
	}
	if len(types) != len(n.Results) {
		return // the results of one call, or named ones
	}
	for i, old := range n.Results {
		if id, ok := old.(*ast.Ident); ok && (id.Name == "nil" || id.Name == "false") {
			continue
		}
		if lit, ok := old.(*ast.BasicLit); ok && (lit.Value == `""` || lit.Value == "0") {
			continue
		}
		if c, ok := old.(*ast.CompositeLit); ok && len(c.Elts) == 0 {
			continue
		}
		n.Results[i] = &ast.StarExpr{X: &ast.CallExpr{Fun: ast.NewIdent("new"), Args: []ast.Expr{types[i]}}}
		m.add(old.Pos(), fmt.Sprintf("result %d made zero", i+1))
		n.Results[i] = old
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}
