package conceal

import (
	"slices"
	"testing"
)

func TestMove(t *testing.T) {
	names := []string{"url", "password"}
	for _, tt := range []struct{ args, environ, left, env []string }{
		{[]string{"x"}, []string{"A=1"}, []string{"x"}, []string{"A=1"}},
		{[]string{"x", "--url", "rtsp://a:b@c/", "--device", "d"}, nil, []string{"x", "--device", "d"},
			[]string{"WALDO_URL=rtsp://a:b@c/", "WALDO_MOVED_FLAGS=url"}},
		{[]string{"x", "-password=s=t"}, []string{"WALDO_PASSWORD=old", "WALDO_MOVED_FLAGS=url", "B=2"}, []string{"x"},
			[]string{"B=2", "WALDO_PASSWORD=s=t", "WALDO_MOVED_FLAGS=password"}},
		{[]string{"x", "--url", "a", "--password", "b"}, nil, []string{"x"},
			[]string{"WALDO_URL=a", "WALDO_PASSWORD=b", "WALDO_MOVED_FLAGS=url,password"}},
		{[]string{"x", "--url=1", "--url", "2"}, nil, []string{"x"}, []string{"WALDO_URL=2", "WALDO_MOVED_FLAGS=url,url"}},
		{[]string{"x", "--url"}, nil, []string{"x", "--url"}, nil},
		{[]string{"--url", "a"}, nil, []string{"--url", "a"}, nil},
		{[]string{"x", "url", "y"}, nil, []string{"x", "url", "y"}, nil},
	} {
		if left, env := move(tt.args, tt.environ, names); !slices.Equal(left, tt.left) || !slices.Equal(env, tt.env) {
			t.Errorf("%q, %q: %q, %q, want %q, %q", tt.args, tt.environ, left, env, tt.left, tt.env)
		}
	}
}
