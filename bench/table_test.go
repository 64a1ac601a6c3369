package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

var sample = []Result{
	{
		Group: "a", Row: Row{Name: "first", Against: "it", Reach: 2, Lacks: "sense"},
		Ratio: 1.5, Spread: 0.1, Ours: 1500, Base: 1000, Allocs: 3, Bytes: 64,
	},
	{
		Group: "a", Row: Row{Name: "second", Against: "it", Reach: 1},
		Ratio: 1.5, Ours: 15e6, Base: 1e4, Allocs: -1, Bytes: -1,
	},
	{
		Group: "b", Row: Row{Name: "third", Against: "one", Unit: "trips"},
		Ratio: 250, Ours: 2.5, Base: 1, Allocs: -1, Bytes: -1,
	},
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	printTable(&b, sample)
	const want = `| what   | against | ratio | spread | reach | ours      | theirs  | allocs | bytes | the other side lacks |
|--------|---------|-------|--------|-------|-----------|---------|--------|-------|----------------------|
| **a**  |         |       |        |       |           |         |        |       |                      |
| first  | it      | 1.50  | ±0.05  | 2 yes | 1500 ns   | 1000 ns | 3      | 64    | sense                |
| second | it      | 1.50  | ±0.00  | 1 NO  | 15 ms     | 10 µs   |        |       |                      |
| **b**  |         |       |        |       |           |         |        |       |                      |
| third  | one     | 250   | ±0.00  |       | 2.5 trips | 1 trips |        |       |                      |
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

func TestJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rows.json")
	if err := writeJSON(file, sample[:1]); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	const want = `[{"name":"a: first / it","ratio":1.5,"reach":2,"spread":0.1}]`
	if err := json.Compact(&b, text); err != nil || b.String() != want {
		t.Errorf("%s, %v", &b, err)
	}
}
