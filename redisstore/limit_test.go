package redisstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

func withBody(key installation.Key, size int) installation.Change {
	c := create(key, "")
	c.Record.Body = installation.BodyFromBytes(make([]byte, size))
	return c
}

// TestLargeChange commits changes around the limit of the server, at its lowest setting.
func TestLargeChange(t *testing.T) {
	const limit = 1 << 20
	for _, param := range []string{"proto-max-bulk-len", "client-query-buffer-limit"} {
		server := redistest.Start(t, "--"+param, fmt.Sprint(limit))
		cluster := redistest.StartCluster(t, 3, 0)
		setConfig(t, cluster.Masters[1], param, fmt.Sprint(limit))
		for name, client := range map[string]redis.UniversalClient{
			"standalone": server.Client(t), "cluster": cluster.Client(t, nil),
		} {
			t.Run(param+"/"+name, func(t *testing.T) {
				s := open(t, client, nil)
				must(t, s, withBody(id("fits"), limit-70<<10))
				for name, size := range map[string]int{
					"just": limit, "twice": 2 * limit, "8 times": 8 * limit,
				} {
					_, err := s.Commit(t.Context(), withBody(id("%s", name), size))
					wantError(t, name, err, installation.ErrInvalid)
					if !strings.Contains(fmt.Sprint(err), param) {
						t.Errorf("%s: error %v, want one that names %s", name, err, param)
					}
				}
				checkIndex(t, s)
			})
		}
	}
}

// TestOwnLimit commits a change that servers would take, but that is far too large.
func TestOwnLimit(t *testing.T) {
	s := open(t, dialMini(t), nil)
	_, err := s.Commit(t.Context(), withBody(id("a"), 65<<20))
	wantError(t, "commit", err, installation.ErrInvalid)
}

// TestLargeChangeUnderSecretLimit commits a large change as a user who may not read the
// configuration.
func TestLargeChangeUnderSecretLimit(t *testing.T) {
	for _, param := range []string{"proto-max-bulk-len", "client-query-buffer-limit"} {
		t.Run(param, func(t *testing.T) {
			server := redistest.Start(t, "--"+param, fmt.Sprint(1<<20))
			allow(t, server, []string{"~*", "+@all", "-config"})
			var log retries
			s := open(t, dialAs(t, server), &redisstore.Options{Logger: log.logger()})
			for size, says := range map[int]string{
				1<<20 + 100: param, 8 << 20: param, 1 << 10: "",
			} {
				_, err := s.Commit(log.firstTry(t), withBody(id("%d", size), size))
				if (err == nil) != (says == "") || !strings.Contains(fmt.Sprint(err), says) {
					t.Errorf("%d bytes: error %v, want one about %q", size, err, says)
				}
			}
		})
	}
}
