package device

import (
	"reflect"
	"testing"

	"github.com/waldo-robot/waldo/pkg/bus"
)

// TestBorrowersCannotCloseTheBus: what a driver gets has no method Close, so only the kit can end the connection.
func TestBorrowersCannotCloseTheBus(t *testing.T) {
	lent := reflect.TypeFor[func(*Kit) *bus.Conn]()
	if got := reflect.TypeOf((*Kit).Bus); got != lent {
		t.Fatalf("Kit.Bus is a %v, want %v", got, lent)
	}
	for borrowed, want := range map[reflect.Type]bool{reflect.TypeFor[*bus.Conn](): false,
		reflect.TypeFor[*bus.ConnCloser](): true} {
		if _, can := borrowed.MethodByName("Close"); can != want {
			t.Errorf("%v can be closed: %v, want %v", borrowed, can, want)
		}
	}
}
