// Package refreshing tests Refresh, Run and Revoke by the exported API.
package refreshing
