// Load puts hostapp, on a Redis of its own, under the load of wrk for a while, and prints what it saw:
//
//	go run .ci/load.go -duration 5s
//
// It fails if a request fails, or if the memory of hostapp grows while the load is the same.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	duration := flag.Duration("duration", 5*time.Second, "of the load")
	flag.Parse()
	if err := run(context.Background(), *duration); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// request is one of those that are sent in turn.
type request struct {
	method, url, body string
	header            map[string]string
}

// target is the first line of hostapp.
type target struct {
	Addr        string
	Vercel      struct{ Base, Tokens string }
	SoftwareOne struct{ Base, ExtensionID, VendorToken, ClientToken string }
	Ampersand   struct{ Base, APIKey, ProjectID, IntegrationID string }
}

func run(ctx context.Context, duration time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	socket := filepath.Join(dir, "redis.sock")
	redis := exec.CommandContext(ctx, "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	said, err := redis.StdoutPipe()
	if err != nil {
		return err
	}
	if err := redis.Start(); err != nil {
		return err
	}
	defer redis.Wait()
	defer cancel()

	binary := filepath.Join(dir, "hostapp")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./examples/hostapp").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := await(said, "ready to accept connections"); err != nil {
		return fmt.Errorf("redis-server: %w", err)
	}
	app := exec.CommandContext(ctx, binary, "-addr", "127.0.0.1:0", "-dev", "-redis", "unix://"+socket)
	app.Stderr = os.Stderr
	out, err := app.StdoutPipe()
	if err != nil {
		return err
	}
	if err := app.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return errors.Join(err, app.Wait())
	}
	var at target
	if err := json.Unmarshal(line, &at); err != nil {
		return err
	}
	requests, err := prepare(ctx, at)
	if err != nil {
		return err
	}
	script := filepath.Join(dir, "requests.lua")
	if err := os.WriteFile(script, []byte(lua(at, requests)), 0o600); err != nil {
		return err
	}
	memory, err := attack(ctx, app.Process.Pid, at.Addr, script, duration)
	if err != nil {
		return err
	}
	if err := app.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	if err := app.Wait(); err != nil {
		return fmt.Errorf("hostapp: %w", err)
	}
	return flat(memory)
}

// await reads lines until one has a text in it, in any letter case, and the rest of them in the background, so that who writes them does not
// come to a halt.
func await(r io.Reader, text string) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if strings.Contains(strings.ToLower(lines.Text()), text) {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return nil
		}
	}
	return errors.Join(fmt.Errorf("it ended without saying %q", text), lines.Err())
}

// prepare installs what the load is about and returns the requests of the load.
func prepare(ctx context.Context, at target) ([]request, error) {
	var requests []request
	bearer := func(token string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
	}
	for i := range 20 {
		id := fmt.Sprintf("icfg_%024d", i)
		token := func(auth string) (string, error) {
			return send(ctx, request{method: "GET", url: at.Vercel.Tokens + "?installation=" + id + "&auth=" + auth})
		}
		user, err := token("user")
		if err != nil {
			return nil, err
		}
		system, err := token("system")
		if err != nil {
			return nil, err
		}
		url := at.Vercel.Base + "/v1/installations/" + id
		for version := range 2 {
			requests = append(requests, request{"PUT", url, fmt.Sprintf(`{"scopes":["read"],"acceptedPolicies":{},"credentials":{"access_token":"load-%d-%d",
				"token_type":"Bearer"},"account":{"url":"https://vercel.example/acme","contact":{"email":"iris@northwind.example"}}}`, i, version), bearer(user)},
				request{"GET", url, "", bearer(system)})
		}
	}
	if err := sendAll(ctx, requests); err != nil {
		return nil, err
	}

	vendor := bearer(at.SoftwareOne.VendorToken)
	text, err := send(ctx, request{"POST", at.SoftwareOne.Base + "/installations", `{"extension":{"id":"` + at.SoftwareOne.ExtensionID + `"}}`,
		bearer(at.SoftwareOne.ClientToken)})
	if err != nil {
		return nil, err
	}
	id, err := idOf(text)
	if err != nil {
		return nil, err
	}
	for version := range 2 {
		requests = append(requests,
			request{"GET", at.SoftwareOne.Base + "/installations?eq(status,'Installed')&limit=10", "", vendor},
			request{"GET", at.SoftwareOne.Base + "/installations/" + id, "", vendor},
			request{"PUT", at.SoftwareOne.Base + "/installations/" + id, fmt.Sprintf(`{"configuration":{"warehouse":"EU-%d","api_secret":"load-%d"}}`, version, version), vendor},
		)
	}

	key := map[string]string{"X-Api-Key": at.Ampersand.APIKey, "Content-Type": "application/json"}
	base := at.Ampersand.Base + "/projects/" + at.Ampersand.ProjectID + "/integrations/" + at.Ampersand.IntegrationID + "/installations"
	const contact = `{"objectName":"contact","destination":"hook","selectedFields":{"email":%t},"selectedFieldMappings":{}}`
	text, err = send(ctx, request{"POST", base, `{"groupRef":"group-123","config":{"content":{"provider":"salesforce"}}}`, key})
	if err != nil {
		return nil, err
	}
	if id, err = idOf(text); err != nil {
		return nil, err
	}
	for _, selected := range []bool{true, false} {
		requests = append(requests,
			request{"GET", base + "?groupRef=group-123", "", key},
			request{"PATCH", base + "/" + id, `{"updateMask":["config.content.read.objects.contact"],"installation":{"config":{"content":{"read":{"objects":{"contact":` +
				fmt.Sprintf(contact, selected) + `}}}}}}`, key},
		)
	}
	return requests, sendAll(ctx, requests)
}

func sendAll(ctx context.Context, requests []request) error {
	for _, r := range requests {
		if _, err := send(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// send sends one request, which has to succeed, and returns the answer.
func send(ctx context.Context, r request) (string, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return "", err
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", r.method, r.url, res.Status, text)
	}
	return string(text), err
}

func idOf(text string) (string, error) {
	var row struct{ ID string }
	err := json.Unmarshal([]byte(text), &row)
	return row.ID, err
}

// lua is a script for wrk that sends the requests in turn and reports what came of them.
func lua(at target, requests []request) string {
	var b strings.Builder
	b.WriteString("local requests = {}\n")
	for _, r := range requests {
		var headers []string
		for name, value := range r.header {
			headers = append(headers, fmt.Sprintf("[%s] = %s", quoted(name), quoted(value)))
		}
		slices.Sort(headers)
		body := "nil"
		if r.body != "" {
			body = quoted(r.body)
		}
		fmt.Fprintf(&b, "requests[#requests + 1] = {%s, %s, {%s}, %s}\n", quoted(r.method), quoted(strings.TrimPrefix(r.url, "http://"+at.Addr)),
			strings.Join(headers, ", "), body)
	}
	b.WriteString(`
local next, formatted = 0, {}
function init()
	for i, r in ipairs(requests) do formatted[i] = wrk.format(r[1], r[2], r[3], r[4]) end
end
function request()
	next = next % #formatted + 1
	return formatted[next]
end
function done(summary, latency)
	local e = summary.errors
	io.write(string.format('{"requests":%d,"seconds":%.1f,"refused":%d,"broken":%d,"late":%d,"median":%.1f,"p99":%.1f}\n', summary.requests,
		summary.duration / 1e6, e.status, e.connect + e.read + e.write, e.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
`)
	return b.String()
}

// quoted is a string as Lua reads it.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

// attack runs wrk and returns the resident memory of a process as it went, in bytes.
func attack(ctx context.Context, pid int, addr, script string, duration time.Duration) ([]int64, error) {
	wrk := exec.CommandContext(ctx, "wrk", "-t1", "-c16", "-d"+strconv.Itoa(int(duration.Seconds()))+"s", "-s", script, "http://"+addr)
	type answer struct {
		text []byte
		err  error
	}
	ended := make(chan answer, 1)
	go func() {
		text, err := wrk.CombinedOutput()
		ended <- answer{text, err}
	}()
	var memory []int64
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n, err := resident(pid)
			if err != nil {
				return nil, err
			}
			memory = append(memory, n)
		case a := <-ended:
			if a.err != nil {
				return nil, fmt.Errorf("wrk: %w: %s", a.err, a.text)
			}
			return memory, judge(a.text)
		}
	}
}

// judge prints what wrk saw, and fails if a request failed.
func judge(text []byte) error {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var seen struct {
		Requests, Refused, Broken, Late int
		Seconds, Median, P99            float64
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &seen); err != nil {
		return fmt.Errorf("wrk: %w: %s", err, text)
	}
	fmt.Printf("%d requests in %.1f s, %.0f a second; latency median %.1f ms, 99th percentile %.1f ms; refused %d, broken %d, late %d\n",
		seen.Requests, seen.Seconds, float64(seen.Requests)/seen.Seconds, seen.Median, seen.P99, seen.Refused, seen.Broken, seen.Late)
	if seen.Requests == 0 || seen.Refused+seen.Broken+seen.Late > 0 {
		return errors.New("not every request succeeded")
	}
	return nil
}

// resident returns how much memory a process holds.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// Memory counts as flat if the last quarter of the samples is not above the second by more than this.
const (
	growth = 1.25
	slack  = 16 << 20
)

// flat prints how much memory there was, and fails if it grew.
func flat(memory []int64) error {
	if len(memory) < 8 {
		return errors.New("too short to say how memory goes")
	}
	quarter := len(memory) / 4
	median := func(part []int64) int64 {
		part = slices.Sorted(slices.Values(part))
		return part[len(part)/2]
	}
	second, last := median(memory[quarter:2*quarter]), median(memory[len(memory)-quarter:])
	fmt.Printf("memory of hostapp: %d MiB in the second quarter, %d MiB in the last\n", second>>20, last>>20)
	if float64(last) > float64(second)*growth+slack {
		return errors.New("memory grew")
	}
	return nil
}
