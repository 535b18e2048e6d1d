package codec_test

import (
	"math"
	"math/big"
	"testing"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/services/serial/codec"
)

// packed returns a codec, and the payloads of messages as JSON.
func packed(t testing.TB, format string, keys []string, messages ...string) (*codec.Record, [][]byte) {
	t.Helper()
	c, err := codec.NewRecord(format, keys)
	if err != nil {
		t.Fatal(err)
	}
	payloads := make([][]byte, len(messages))
	for i, m := range messages {
		payloads[i], err = c.Write(&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: m}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return c, payloads
}

func TestSlow(t *testing.T) {
	for name, tt := range map[string]struct {
		format, safe, command string
		factor                float64
		want                  string
	}{
		"half":                         {"<hh", "[0,0]", "[100,-100]", 0.5, "[50,-50]"},
		"towards the safe message":     {"<hh", "[0,0]", "[99,-99]", 0.5, "[49,-49]"},
		"a safe message that is not 0": {"<hB", "[90,128]", "[120,3]", 0.5, "[105,66]"},
		"rounded to it from below":     {"<h", "[90]", "[61]", 0.5, "[76]"},
		"nothing is left":              {"<hh", "[0,0]", "[3,-3]", 0.3, "[0,0]"},
		"as it is":                     {"<hh", "[0,0]", "[99,-99]", 1, "[99,-99]"},
		"to the safe message":          {"<hf?3s", `[1,2,false,"off"]`, `[100,100,true,"on "]`, 0, `[1,2,false,"off"]`},
		"floating point":               {"<fd", "[0,1]", "[3,-1]", 0.25, "[0.75,0.5]"},
		"what is no number stays":      {"<h?3s", `[0,false,"off"]`, `[100,true,"on "]`, 0.5, `[50,true,"on "]`},
		"large": {"<qQ", "[0,0]", "[9223372036854775807,18446744073709551615]", 0.5,
			"[4611686018427387903,9223372036854775807]"},
		"from end to end":   {"<q", "[9223372036854775807]", "[-9223372036854775808]", 0.5, "[0]"},
		"larger than exact": {"<q", "[-9223372036854775808]", "[9223372036854775807]", 0.999, "[9204925292781066239]"},
		"without overflow":  {"<d", "[-1.5e308]", "[1.5e308]", 0.5, "[0]"},
	} {
		c, p := packed(t, tt.format, nil, tt.safe, tt.command)
		if got := c.JSON(c.Slow(p[1], p[0], tt.factor)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestSpeed(t *testing.T) {
	scales := map[string]float64{"left": 200, "right": 100, "nothing": 0}
	keys := []string{"left", "right", "lamp"}
	for name, tt := range map[string]struct {
		keys   []string
		format string
		safe   string
		given  string
		want   float64
		ok     bool
	}{
		"standing still":            {keys, "<hhh", "[0,0,0]", "[0,0,0]", 0, false},
		"one value":                 {keys, "<hhh", "[0,0,0]", "[100,0,0]", 0.5, true},
		"the other way":             {keys, "<hhh", "[0,0,0]", "[-100,0,0]", 0.5, true},
		"the faster of two":         {keys, "<hhh", "[0,0,0]", "[100,90,0]", 0.9, true},
		"above full scale":          {keys, "<hhh", "[0,0,0]", "[800,0,0]", 4, true},
		"from the safe message":     {keys, "<BBB", "[128,128,0]", "[228,128,0]", 0.5, true},
		"one without a scale":       {keys, "<hhh", "[0,0,0]", "[100,0,1]", 1, true},
		"a scale of 0":              {[]string{"nothing"}, "<h", "[0]", "[1]", 1, true},
		"no keys":                   {nil, "<hh", "[0,0]", "[1,0]", 1, true},
		"no number differs":         {nil, "<h?", "[0,false]", "[0,true]", 0, false},
		"numbers, and a switch":     {[]string{"left", "on"}, "<h?", "[0,false]", "[20,true]", 0.1, true},
		"floating point":            {[]string{"left"}, "<f", "[0]", "[-50]", 0.25, true},
		"larger than what is exact": {[]string{"left"}, "<Q", "[0]", "[18446744073709551615]", math.MaxUint64 / 200.0, true},
	} {
		c, p := packed(t, tt.format, tt.keys, tt.safe, tt.given)
		got, ok := c.Speed(p[1], p[0], scales)
		if math.Abs(got-tt.want) > 1e-6*tt.want || ok != tt.ok {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, ok, tt.want, tt.ok)
		}
	}
}

// TestNoFiniteNumber: what is no finite number is infinitely fast, and the safe value when slowed at all.
func TestNoFiniteNumber(t *testing.T) {
	c, p := packed(t, "<ff", []string{"left", "right"}, "[1,2]")
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		given, err := c.Write(&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Record{Record: &serialv1.Record{
			Fields: []*serialv1.Field{{Key: "left", Value: number(bad)}, {Key: "right", Value: number(6)}}}}})
		if err != nil {
			t.Fatal(err)
		}
		if share, ok := c.Speed(given, p[0], map[string]float64{"left": 1, "right": 1}); !math.IsInf(share, 1) || !ok {
			t.Errorf("%v: %v, %v", bad, share, ok)
		}
		if got := c.JSON(c.Slow(given, p[0], 0.5)); got != `{"left":1,"right":4}` {
			t.Errorf("%v: %v", bad, got)
		}
	}
}

func number(v float64) *serialv1.Value {
	return &serialv1.Value{Kind: &serialv1.Value_Number{Number: v}}
}

// FuzzSlow: no whole number gets farther from the safe one than the factor says, nor to its other side.
func FuzzSlow(f *testing.F) {
	for _, seed := range []struct {
		from, safe int64
		factor     float64
	}{{100, 0, 0.5}, {-99, 0, 0.5}, {math.MinInt64, math.MaxInt64, 0.999}, {math.MaxInt64, -1, 1e-300}, {5, 5, 0.1}} {
		f.Add(seed.from, seed.safe, seed.factor)
	}
	c, err := codec.NewRecord("<qQd", nil)
	if err != nil {
		f.Fatal(err)
	}
	payload := func(v int64) []byte {
		p, err := c.Write(&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Record{Record: &serialv1.Record{
			Fields: []*serialv1.Field{
				{Value: &serialv1.Value{Kind: &serialv1.Value_Integer{Integer: v}}},
				{Value: &serialv1.Value{Kind: &serialv1.Value_LargeInteger{LargeInteger: uint64(v)}}},
				{Value: number(float64(v))},
			}}}})
		if err != nil {
			f.Fatal(err)
		}
		return p
	}
	f.Fuzz(func(t *testing.T, from, safe int64, factor float64) {
		if !(factor >= 0 && factor <= 1) {
			return
		}
		var m serialv1.SerialMessage
		if err := c.Read(c.Slow(payload(from), payload(safe), factor), &m); err != nil {
			t.Fatal(err)
		}
		fields := m.GetRecord().GetFields()
		large := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
		within(t, big.NewInt(from), big.NewInt(safe), big.NewInt(fields[0].GetValue().GetInteger()), factor)
		got := large(fields[1].GetValue().GetLargeInteger())
		if v, ok := fields[1].GetValue().GetKind().(*serialv1.Value_Integer); ok {
			got = big.NewInt(v.Integer)
		}
		within(t, large(uint64(from)), large(uint64(safe)), got, factor)
		if v := fields[2].GetValue().GetNumber(); math.IsNaN(v) || v < min(float64(from), float64(safe))-1e4 ||
			v > max(float64(from), float64(safe))+1e4 {
			t.Errorf("%v is not between %v and %v", v, from, safe)
		}
	})
}

// within checks that got is between safe and from, and no farther from safe than the factor says.
func within(t *testing.T, from, safe, got *big.Int, factor float64) {
	t.Helper()
	whole, part := new(big.Int).Sub(from, safe), new(big.Int).Sub(got, safe)
	most := new(big.Rat).Mul(new(big.Rat).SetInt(whole), new(big.Rat).SetFloat64(factor))
	if new(big.Rat).SetInt(new(big.Int).Abs(part)).Cmp(most.Abs(most)) > 0 || part.Sign()*whole.Sign() < 0 {
		t.Errorf("%v, slowed by %v towards %v, is %v", from, factor, safe, got)
	}
}
