package masked

import (
	"context"

	"github.com/go-installation/installation/internal/jsontree"
)

// Replace is Write.Replace for tests.
func Replace(path string, stored Stored, in *jsontree.Node, rule Rule) (Result, error) {
	w := Write{Path: path, Stored: stored, Rule: rule}
	return w.Replace(context.Background(), in)
}

// Apply is Write.Apply for tests.
func Apply(path string, stored Stored, ops []Op, rule Rule) (Result, error) {
	return Write{Path: path, Stored: stored, Rule: rule}.Apply(context.Background(), ops)
}

// ReplaceAnywhere and ApplyAnywhere are without the destination rule.
func ReplaceAnywhere(path string, s Stored, in *jsontree.Node, rule Rule) (Result, error) {
	w := Write{Path: path, Stored: s, Rule: rule, AllowDestination: true}
	return w.Replace(context.Background(), in)
}

func ApplyAnywhere(path string, s Stored, ops []Op, rule Rule) (Result, error) {
	w := Write{Path: path, Stored: s, Rule: rule, AllowDestination: true}
	return w.Apply(context.Background(), ops)
}
