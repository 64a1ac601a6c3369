package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// printTable writes the results as a Markdown table whose columns line up.
func printTable(w io.Writer, results []Result) {
	rows := [][]string{{
		"what", "against", "ratio", "spread", "reach", "ours", "theirs", "allocs", "bytes",
		"the other side lacks",
	}}
	group := ""
	for _, r := range results {
		if r.Group != group {
			group = r.Group
			rows = append(rows, []string{"**" + group + "**", "", "", "", "", "", "", "", "", ""})
		}
		rows = append(rows, []string{
			r.Name, r.Against, number(r.Ratio), "±" + number(r.Spread/2), reach(r),
			figure(r.Ours, r.Unit), figure(r.Base, r.Unit), count(r.Allocs), count(r.Bytes),
			r.Lacks,
		})
	}
	printAligned(w, rows)
}

// printAligned writes rows, the first of which is the heading.
func printAligned(w io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		for j, cell := range row {
			space := strings.Repeat(" ", width[j]-utf8.RuneCountInString(cell))
			fmt.Fprintf(w, "| %s%s ", cell, space)
		}
		fmt.Fprintln(w, "|")
		if i == 0 {
			for _, n := range width {
				fmt.Fprint(w, "|", strings.Repeat("-", n+2))
			}
			fmt.Fprintln(w, "|")
		}
	}
}

// reach returns the goal of a row, and whether the row reached it.
func reach(r Result) string {
	switch {
	case r.Reach == 0:
		return ""
	case r.Reached():
		return fmt.Sprintf("%.3g yes", r.Reach)
	default:
		return fmt.Sprintf("%.3g NO", r.Reach)
	}
}

// figure writes one side of a row.
func figure(v float64, unit string) string {
	if unit != "" {
		return count(v) + " " + unit
	}
	switch d := time.Duration(v); {
	case d < 10*time.Microsecond:
		return count(v) + " ns"
	case d < 10*time.Millisecond:
		return count(v/1e3) + " µs"
	default:
		return count(v/1e6) + " ms"
	}
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func count(v float64) string {
	switch {
	case v < 0:
		return ""
	case v < 10 && v != float64(int(v)):
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// writeJSON writes the rows as JSON. A reach of 0 means that the row has no goal.
func writeJSON(file string, results []Result) error {
	type row struct {
		Name   string  `json:"name"`
		Ratio  float64 `json:"ratio"`
		Reach  float64 `json:"reach"`
		Spread float64 `json:"spread"`
	}
	rows := make([]row, len(results))
	for i, r := range results {
		rows[i] = row{r.Group + ": " + r.Name + " / " + r.Against, r.Ratio, r.Reach, r.Spread}
	}
	text, err := json.MarshalIndent(rows, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o666)
}
