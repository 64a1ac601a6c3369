package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// undocumented finds exported names without a comment. Staticcheck checks the form of a comment
// and does not report a missing one. In a group of constants or variables, one comment on the
// group is enough.
func undocumented() ([]string, string, error) {
	const mode = parser.ParseComments | parser.SkipObjectResolution
	return eachFile("documented", func(name string, text []byte) ([]violation, error) {
		u := &undocumentedNames{fset: token.NewFileSet(), file: name}
		file, err := parser.ParseFile(u.fset, name, text, mode)
		if err != nil || file.Name.Name == "main" || strings.HasSuffix(name, "_test.go") {
			return nil, err
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if recv := receiver(d); recv == "" || ast.IsExported(recv) {
					u.add([]*ast.Ident{d.Name}, d.Doc)
				}
			case *ast.GenDecl:
				u.general(d)
			}
		}
		return u.found, nil
	})
}

type undocumentedNames struct {
	fset  *token.FileSet
	file  string
	found []violation
}

func (u *undocumentedNames) general(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			group := d.Doc
			if d.Lparen.IsValid() {
				group = nil
			}
			u.add([]*ast.Ident{s.Name}, group, s.Doc, s.Comment)
			if it, ok := s.Type.(*ast.InterfaceType); ok && s.Name.IsExported() {
				for _, m := range it.Methods.List {
					u.add(m.Names, m.Doc, m.Comment)
				}
			}
		case *ast.ValueSpec:
			u.add(s.Names, d.Doc, s.Doc, s.Comment)
		}
	}
}

// add records the exported names if there is no comment.
func (u *undocumentedNames) add(names []*ast.Ident, comments ...*ast.CommentGroup) {
	if slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil }) {
		return
	}
	for _, name := range names {
		if name.IsExported() {
			text := fmt.Sprintf("%s: %s has no comment", u.fset.Position(name.Pos()), name.Name)
			u.found = append(u.found, violation{u.file + ":" + name.Name, text})
		}
	}
}
