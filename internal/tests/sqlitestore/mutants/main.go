// Command mutants plants faults in the store of the folder above, one at a time, and runs the suite
// of package storetest on each. Run it there:
//
//	go run ./mutants               all of them
//	go run ./mutants -run events   those whose kind or name matches a pattern
//
// It prints what the suite caught, as tables. It fails if the suite misses a fault without a stated
// reason, or if it catches one that the table calls equivalent.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// mutant is a fault. Each old text occurs exactly once in its file.
type mutant struct {
	kind, name string
	edits      []edit
	equivalent string // why no caller can see the fault, or empty
	missed     string // why the suite cannot find the fault, or empty
	race       bool   // run with the race detector
}

// edit replaces a text of a file.
type edit struct{ file, old, new string }

// result is what the suite said about a mutant.
type result struct {
	caught bool
	by     string // the first case that failed
	err    error  // the mutant cannot be run
}

const (
	atOnce  = 2               // how many mutants run at the same time
	longest = 3 * time.Minute // for a mutant, with the build
)

// failedCase finds the innermost test that failed, because it is printed last with most indents.
var failedCase = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)

func main() {
	pattern := flag.String("run", "", "pattern of kinds and names")
	flag.Parse()
	if err := run(*pattern); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(pattern string) error {
	selected, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	mutants := slices.DeleteFunc(all(), func(m mutant) bool {
		return !selected.MatchString(m.kind + "/" + m.name)
	})
	sources, err := readSources()
	if err != nil {
		return err
	}
	if r := try(sources, mutant{}); r.err != nil || r.caught {
		return fmt.Errorf("the store without a fault: fails %q, error %w", r.by, r.err)
	}
	results := make([]result, len(mutants))
	var wg sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i, m := range mutants {
		wg.Go(func() {
			free <- struct{}{}
			results[i] = try(sources, m)
			<-free
			fmt.Fprintf(os.Stderr, "%s/%s: %s\n", m.kind, m.name, results[i].text())
		})
	}
	wg.Wait()
	return report(mutants, results)
}

// readSources returns the files of the store by name. The path to the library becomes absolute.
func readSources() (map[string]string, error) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	sources := make(map[string]string)
	for _, name := range append(names, "go.mod", "go.sum") {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sources[name] = string(text)
	}
	library, err := filepath.Abs("../../..")
	if err != nil {
		return nil, err
	}
	sources["go.mod"] = strings.Replace(sources["go.mod"], "=> ../../..", "=> "+library, 1)
	return sources, nil
}

// plant returns the sources with the fault of m.
func (m mutant) plant(sources map[string]string) (map[string]string, error) {
	changed := maps.Clone(sources)
	for _, e := range m.edits {
		if n := strings.Count(changed[e.file], e.old); n != 1 {
			return nil, fmt.Errorf("%d times in %s, want once: %s", n, e.file, e.old)
		}
		changed[e.file] = strings.Replace(changed[e.file], e.old, e.new, 1)
	}
	return changed, nil
}

// try runs the suite on the store with a fault.
func try(sources map[string]string, m mutant) result {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return result{err: err}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	changed, err := m.plant(sources)
	if err != nil {
		return result{err: err}
	}
	for name, text := range changed {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return result{err: err}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	timeout := "60s"
	if m.race {
		timeout = "150s"
	}
	command := exec.CommandContext(ctx, "go", "test", "-count=1", "-failfast", "-vet=off",
		"-ldflags=-w", "-timeout="+timeout, "-run=^(TestStore|TestClosed|TestBroken)$",
		fmt.Sprintf("-race=%t", m.race), ".")
	command.Dir = dir
	output, err := command.CombinedOutput()
	return judge(output, err)
}

func judge(output []byte, err error) result {
	switch failed := failedCase.FindAllSubmatch(output, -1); {
	case err == nil:
		return result{}
	case bytes.Contains(output, []byte("[build failed]")) ||
		bytes.Contains(output, []byte("[setup failed]")):
		return result{err: fmt.Errorf("does not compile: %s", output)}
	case bytes.Contains(output, []byte("panic: test timed out")):
		return result{caught: true, by: "hangs"}
	case len(failed) > 0:
		return result{caught: true, by: string(failed[len(failed)-1][1])}
	case bytes.Contains(output, []byte("fatal error:")):
		return result{caught: true, by: "crashes"}
	default:
		return result{err: fmt.Errorf("%w: %s", err, output)}
	}
}

func (r result) text() string {
	switch {
	case r.err != nil:
		return r.err.Error()
	case r.caught:
		return "caught by " + r.by
	default:
		return "not caught"
	}
}
