// Command load starts hostapp on a Redis server of its own, and lets wrk send requests to hostapp:
//
//	go run ./.ci/load -duration 5s
//
// It fails if a request fails or if the memory of hostapp grows under constant load.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
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
	duration := flag.Duration("duration", 5*time.Second, "how long wrk sends requests")
	flag.Parse()
	if err := run(context.Background(), *duration); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// request is one of the requests that wrk sends in turn.
type request struct {
	method, url, body string
	header            map[string]string
}

// target is what hostapp prints first: where to send requests, and with which tokens.
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

	socket, binary := filepath.Join(dir, "redis.sock"), filepath.Join(dir, "hostapp")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./examples/hostapp")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	redis := exec.CommandContext(ctx, "redis-server", "--port", "0", "--unixsocket", socket,
		"--save", "", "--appendonly", "no", "--dir", dir)
	if err := redis.Start(); err != nil {
		return err
	}
	defer redis.Wait()
	defer cancel()
	if err := awaitSocket(socket); err != nil {
		return err
	}
	url := "unix://" + socket
	app := exec.CommandContext(ctx, binary, "-addr", "127.0.0.1:0", "-dev", "-store", url)
	app.Stderr = os.Stderr
	out, err := app.StdoutPipe()
	if err != nil {
		return err
	}
	if err := app.Start(); err != nil {
		return err
	}
	var at target
	if err := json.NewDecoder(out).Decode(&at); err != nil {
		return errors.Join(err, app.Wait())
	}
	memory, err := loadApp(ctx, at, app.Process.Pid, filepath.Join(dir, "requests.lua"), duration)
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

// awaitSocket waits until Redis listens on a socket. It tries again after a pause, because nothing
// tells another process when that is.
func awaitSocket(socket string) error {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn.Close()
		}
		if time.Since(began) > 10*time.Second {
			return fmt.Errorf("redis-server does not listen: %w", err)
		}
	}
}

// loadApp sends the load to hostapp and returns samples of the memory of its process, in bytes.
func loadApp(
	ctx context.Context, at target, pid int, script string, duration time.Duration,
) ([]int64, error) {
	var requests []request
	for _, prepare := range []func(context.Context, target) ([]request, error){
		vercelRequests, softwareOneRequests, ampersandRequests,
	} {
		more, err := prepare(ctx, at)
		if err != nil {
			return nil, err
		}
		requests = append(requests, more...)
	}
	for _, r := range requests {
		if _, err := send(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(script, []byte(lua(at, requests)), 0o600); err != nil {
		return nil, err
	}
	return attack(ctx, pid, at.Addr, script, duration)
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
}

// vercelRequests returns requests that install twenty installations and read them.
func vercelRequests(ctx context.Context, at target) (requests []request, err error) {
	const body = `{"scopes":["read"],"acceptedPolicies":{},
		"credentials":{"access_token":"load-%d-%d","token_type":"Bearer"},
		"account":{"url":"https://vercel.example/acme",
		"contact":{"email":"iris@northwind.example"}}}`
	for i := range 20 {
		id := fmt.Sprintf("icfg_%024d", i)
		tokens := make(map[string]string)
		for _, auth := range []string{"user", "system"} {
			url := at.Vercel.Tokens + "?installation=" + id + "&auth=" + auth
			if tokens[auth], err = send(ctx, request{method: "GET", url: url}); err != nil {
				return nil, err
			}
		}
		url := at.Vercel.Base + "/v1/installations/" + id
		for version := range 2 {
			requests = append(requests,
				request{"PUT", url, fmt.Sprintf(body, i, version), bearer(tokens["user"])},
				request{"GET", url, "", bearer(tokens["system"])})
		}
	}
	return requests, nil
}

// softwareOneRequests returns requests that list, read and configure one installation, which it
// creates.
func softwareOneRequests(ctx context.Context, at target) (requests []request, err error) {
	url, vendor := at.SoftwareOne.Base+"/installations", bearer(at.SoftwareOne.VendorToken)
	id, err := create(ctx, request{
		"POST", url, `{"extension":{"id":"` + at.SoftwareOne.ExtensionID + `"}}`,
		bearer(at.SoftwareOne.ClientToken),
	})
	const body = `{"configuration":{"warehouse":"EU-%d","api_secret":"load-%d"}}`
	for version := range 2 {
		requests = append(requests,
			request{"GET", url + "?eq(status,'Installed')&limit=10", "", vendor},
			request{"GET", url + "/" + id, "", vendor},
			request{"PUT", url + "/" + id, fmt.Sprintf(body, version, version), vendor})
	}
	return requests, err
}

// ampersandRequests returns requests that find and change one installation, which it creates.
func ampersandRequests(ctx context.Context, at target) (requests []request, err error) {
	key := map[string]string{"X-Api-Key": at.Ampersand.APIKey, "Content-Type": "application/json"}
	url := at.Ampersand.Base + "/projects/" + at.Ampersand.ProjectID +
		"/integrations/" + at.Ampersand.IntegrationID + "/installations"
	id, err := create(ctx, request{
		"POST", url, `{"groupRef":"group-123","config":{"content":{"provider":"salesforce"}}}`, key,
	})
	const body = `{"updateMask":["config.content.read.objects.contact"],
		"installation":{"config":{"content":{"read":{"objects":{"contact":{"objectName":"contact",
		"destination":"hook","selectedFields":{"email":%t},"selectedFieldMappings":{}}}}}}}}`
	for _, selected := range []bool{true, false} {
		requests = append(requests,
			request{"GET", url + "?groupRef=group-123", "", key},
			request{"PATCH", url + "/" + id, fmt.Sprintf(body, selected), key})
	}
	return requests, err
}

// create sends a request and returns the id in the answer.
func create(ctx context.Context, r request) (string, error) {
	text, err := send(ctx, r)
	if err != nil {
		return "", err
	}
	var row struct{ ID string }
	err = json.Unmarshal([]byte(text), &row)
	return row.ID, err
}

// send sends one request and returns the body of the answer. It returns an error unless the status
// is 2xx.
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

// lua returns a script for wrk that sends the requests in turn and prints the outcome as JSON.
func lua(at target, requests []request) string {
	var b strings.Builder
	b.WriteString("local requests = {}\n")
	for _, r := range requests {
		headers, body := "", "nil" // %q fits Lua too, as long as the strings are ASCII
		for name, value := range r.header {
			headers += fmt.Sprintf("[%q] = %q, ", name, value)
		}
		if r.body != "" {
			body = strconv.Quote(r.body)
		}
		path := strings.TrimPrefix(r.url, "http://"+at.Addr)
		const format = "requests[#requests + 1] = {%q, %q, {%s}, %s}\n"
		fmt.Fprintf(&b, format, r.method, path, headers, body)
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
	io.write(string.format(
		'{"requests":%d,"seconds":%.1f,"rejected":%d,"broken":%d,"late":%d,' ..
		'"median":%.1f,"p99":%.1f}\n',
		summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write, e.timeout,
		latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
`)
	return b.String()
}

// attack runs wrk and returns samples of the resident memory of a process, in bytes.
func attack(
	ctx context.Context, pid int, addr, script string, duration time.Duration,
) (memory []int64, err error) {
	wrk := exec.CommandContext(ctx, "wrk", "-t1", "-c16",
		"-d"+strconv.Itoa(int(duration.Seconds()))+"s", "-s", script, "http://"+addr)
	var text []byte
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		text, failed = wrk.CombinedOutput()
	}()
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
		case <-ended:
			if failed != nil {
				return nil, fmt.Errorf("wrk: %w: %s", failed, text)
			}
			return memory, judge(text)
		}
	}
}

// judge prints the outcome of wrk, and returns an error if a request failed.
func judge(text []byte) error {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var seen struct {
		Requests, Rejected, Broken, Late int
		Seconds, Median, P99             float64
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &seen); err != nil {
		return fmt.Errorf("wrk: %w: %s", err, text)
	}
	fmt.Printf("%d requests in %.1f s, %.0f a second; rejected %d, broken %d, late %d; ",
		seen.Requests, seen.Seconds, float64(seen.Requests)/seen.Seconds,
		seen.Rejected, seen.Broken, seen.Late)
	fmt.Printf("latency median %.1f ms, 99th percentile %.1f ms\n", seen.Median, seen.P99)
	if seen.Requests == 0 || seen.Rejected+seen.Broken+seen.Late > 0 {
		return errors.New("not every request succeeded")
	}
	return nil
}

// resident returns the resident memory of a process.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, pages int64
	_, err = fmt.Sscan(string(text), &size, &pages)
	return pages * int64(os.Getpagesize()), err
}

// flat returns an error if memory grew during the run. It compares the median of the last quarter
// of the samples with the median of the second quarter. An excess of 25 % plus 16 MiB is allowed.
// It prints both medians.
func flat(memory []int64) error {
	if len(memory) < 8 {
		return errors.New("the run was too short to tell whether memory grows")
	}
	quarter := len(memory) / 4
	median := func(part []int64) int64 {
		part = slices.Sorted(slices.Values(part))
		return part[len(part)/2]
	}
	second, last := median(memory[quarter:2*quarter]), median(memory[len(memory)-quarter:])
	const format = "memory of hostapp: %d MiB in the second quarter, %d MiB in the last\n"
	fmt.Printf(format, second>>20, last>>20)
	if float64(last) > float64(second)*1.25+(16<<20) {
		return errors.New("memory grew")
	}
	return nil
}
