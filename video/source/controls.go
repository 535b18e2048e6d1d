package source

import (
	"fmt"
	"slices"
	"strings"
)

// CheckValues finds the first invalid value for the given controls. Drivers call it before they change anything.
func CheckValues(controls []Control, values map[string]int64) error {
	byName := make(map[string]Control, len(controls))
	names := make([]string, 0, len(controls))
	for _, c := range controls {
		byName[c.Name] = c
		names = append(names, c.Name)
	}
	for _, name := range sortedKeys(values) {
		c, ok := byName[name]
		if !ok {
			return fmt.Errorf("control %q: %w; the controls are %s", name, ErrNoControl, list(names))
		}
		if err := c.check(values[name]); err != nil {
			return err
		}
	}
	return nil
}

func (c Control) check(value int64) error {
	step := max(1, c.Step)
	_, item := c.Items[value]
	switch {
	case c.ReadOnly:
		return fmt.Errorf("control %q: %w now", c.Name, ErrReadOnly)
	case value < c.Minimum || value > c.Maximum:
		return fmt.Errorf("control %q: %w: %d is not %d to %d", c.Name, ErrOutOfRange, value, c.Minimum, c.Maximum)
	case c.Type == Menu && len(c.Items) > 0 && !item:
		return fmt.Errorf("control %q: %w: %d is not an entry of the menu", c.Name, ErrOutOfRange, value)
	case c.Type != Menu && (value-c.Minimum)%step != 0:
		return fmt.Errorf("control %q: %w: %d is not %d plus a multiple of %d", c.Name, ErrOutOfRange, value, c.Minimum, step)
	}
	return nil
}

func sortedKeys(values map[string]int64) []string {
	keys := make([]string, 0, len(values))
	for name := range values {
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
