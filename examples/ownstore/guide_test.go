package ownstore_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestGuide proves that all code in docs/your-own-store.md is code of this example.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/your-own-store.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range []string{"store.go", "keys.go", "store_test.go"} {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(file)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 5 {
		t.Errorf("got %d blocks of code, want at least 5", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(code.String(), block[1]) {
			t.Errorf("not in the example:\n%s", block[1])
		}
	}
}
