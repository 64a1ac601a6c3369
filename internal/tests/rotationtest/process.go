package rotationtest

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-installation/installation"
)

// Rotate rewraps all installations. After each record it calls progress.
func Rotate(
	ctx context.Context, host *installation.Service, progress func(done int),
) error {
	report, err := host.Rewrap(ctx, installation.RewrapRequest{
		Progress: func(r installation.RewrapReport) {
			progress(r.Rewrapped + r.Skipped + r.Failed)
		},
	})
	if err == nil && !report.Done() {
		err = fmt.Errorf("the rotation is not done: %+v", report)
	}
	return err
}

// Process runs a program that rotates. If killAt is not 0, it kills the program once a line of its
// output says that this many records are done, as in "7 of 100". It reports whether it did, and
// returns the lines.
func Process(t *testing.T, cmd *exec.Cmd, killAt int) (lines []string, killed bool) {
	t.Helper()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(pipe); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		var done int
		n, _ := fmt.Sscanf(scanner.Text(), "%d of", &done)
		if n == 1 && killAt > 0 && done >= killAt && !killed {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil && !killed {
		t.Errorf("rotate: %v\n%s", err, strings.Join(lines, "\n"))
	}
	return lines, killed
}
