package masked

import (
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
)

// stand-in
func pairName(object *jsontree.Node) (name, value string, ok bool) {
	for n, c := range object.Children() {
		switch strings.ToLower(n) {
		case "name", "key":
			if c.Kind() == jsontree.String {
				name = c.Text()
			}
		case "value":
			value = n
		}
	}
	if name == "" || value == "" {
		return "", "", false
	}
	return name, value, true
}
