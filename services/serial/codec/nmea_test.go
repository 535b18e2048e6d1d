package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/adrianmo/go-nmea"
	"google.golang.org/protobuf/proto"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
)

// sentence adds the start byte and the checksum to fields.
func sentence(body string) string { return "$" + body + "*" + nmea.Checksum(body) }

// values is the content of a sentence, as JSON and as typed fields, without its talker and type.
func values(t *testing.T, line string) (string, map[string]any) {
	t.Helper()
	var m serialv1.SerialMessage
	if err := NewNMEA().Read([]byte(line), &m); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if _, err := proto.Marshal(&m); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	_, text, _ := strings.Cut(m.GetJson(), `,"type":`+quote(m.GetSentence().GetType()))
	typed := map[string]any{}
	for _, f := range m.GetSentence().GetFields() {
		typed[f.GetKey()] = plain(f.GetValue())
	}
	return "{" + strings.TrimPrefix(text, ","), typed
}

// TestNotAvailable: values that a sentence lacks are left out, however many fields it has; values that
// it has are kept, zeros too.
func TestNotAvailable(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"GGA without a fix": {"GPGGA,010222.00,,,,,0,00,99.99,,,,,,",
			`{"time":"01:02:22.0000","fixQuality":"0","numSatellites":0,"hdop":99.99}`},
		"GGA with an old position": {"GPGGA,010222.00,4800.0,N,01100.0,E,0,00,99.99,61.7,M,55.2,M,,",
			`{"time":"01:02:22.0000","fixQuality":"0","numSatellites":0,"hdop":99.99}`},
		"GGA of unknown quality": {"GPGGA,010222.00,4800.0,N,01100.0,E,,,,61.7,M,,M,,", `{"time":"01:02:22.0000"}`},
		"GGA at 0° N 0° E": {"GPGGA,010222.00,0000.0,N,00000.0,E,1,08,0,0,M,0,M,0,0000",
			`{"time":"01:02:22.0000","latitude":0,"longitude":0,"fixQuality":"1","numSatellites":8,"hdop":0,"altitude":0,"separation":0,"dgpsAge":"0","dgpsId":"0000"}`},
		"GGA by dead reckoning": {"GPGGA,010222.00,4800.0,N,01100.0,E,6,00,,,M,,M,,",
			`{"time":"01:02:22.0000","latitude":48,"longitude":11,"fixQuality":"6","numSatellites":0}`},
		"GGA of a simulator": {"GPGGA,010222.00,4800.0,N,01100.0,W,8,04,1,0,M,,M,,",
			`{"time":"01:02:22.0000","latitude":48,"longitude":-11,"fixQuality":"8","numSatellites":4,"hdop":1,"altitude":0}`},
		"GGA without directions": {"GPGGA,010222.00,4800.0,,01100.0,,1,04,1,0,M,,M,,",
			`{"time":"01:02:22.0000","fixQuality":"1","numSatellites":4,"hdop":1,"altitude":0}`},
		"GGA with dashes":   {"GPGGA,-,-,-,-,-,1,-,-,-,M,--,M,,", `{"fixQuality":"1"}`},
		"GGA with NaN":      {"GPGGA,,nan,N,inf,E,1,4,nan,+Inf,M,,M,,", `{"fixQuality":"1","numSatellites":4}`},
		"RMC without a fix": {"GPRMC,,V,,,,,,,,,,N", `{"validity":"V","ffaMode":"N"}`},
		"RMC of NMEA 4.10": {"GNRMC,092750.000,A,4800.0,N,01100.0,E,0.02,,280511,,,A,V",
			`{"time":"09:27:50.0000","validity":"A","latitude":48,"longitude":11,"speed":0.02,"date":"28/05/11","ffaMode":"A","navStatus":"V"}`},
		"RMC with an old position": {"GNRMC,092750.000,V,4800.0,N,01100.0,E,0.02,31,280511,,,E",
			`{"time":"09:27:50.0000","validity":"V","date":"28/05/11","ffaMode":"E"}`},
		"RMC of mode N": {"GNRMC,092750.000,A,4800.0,N,01100.0,E,0.02,31,280511,,,N",
			`{"time":"09:27:50.0000","validity":"A","date":"28/05/11","ffaMode":"N"}`},
		"RMC before NMEA 2.3": {"GPRMC,092750,A,4800.0,S,01100.0,W,0,0,280511,4.2,W",
			`{"time":"09:27:50.0000","validity":"A","latitude":-48,"longitude":-11,"speed":0,"course":0,"date":"28/05/11","variation":-4.2}`},
		"RMC, variation of no sign":  {"GPRMC,,A,,,,,,,,4.2,,A", `{"validity":"A","ffaMode":"A"}`},
		"VTG of mode N":              {"GPVTG,,,,,,,,,N", `{"ffaMode":"N"}`},
		"VTG of mode N with numbers": {"GPVTG,0.0,T,0.0,M,0.0,N,0.0,K,N", `{"ffaMode":"N"}`},
		"VTG at rest": {"GNVTG,,T,,M,0.120,N,0.222,K,A",
			`{"groundSpeedKnots":0.12,"groundSpeedKPH":0.222,"ffaMode":"A"}`},
		"VTG of NMEA 2.0":          {"GPVTG,054.7,034.4,005.5,010.2", `{}`},
		"GLL without a fix":        {"GPGLL,,,,,,V,N", `{"validity":"V","ffaMode":"N"}`},
		"GLL with an old position": {"GPGLL,4800.0,N,01100.0,E,092750,V", `{"time":"09:27:50.0000","validity":"V"}`},
		"GLL of NMEA 1.5":          {"GPGLL,4800.0,N,01100.0,E", `{"latitude":48,"longitude":11}`},
		"GNS without a fix":        {"GNGNS,,,,,,NN,00,99.99,,,,", `{"mode.0":"N","mode.1":"N","sVs":0,"hdop":99.99}`},
		"GNS with an old position": {"GNGNS,,4800.0,N,01100.0,E,NNNN,00,99.99,61,55,,,V",
			`{"mode.0":"N","mode.1":"N","mode.2":"N","mode.3":"N","sVs":0,"hdop":99.99,"navStatus":"V"}`},
		"GNS of one system": {"GNGNS,,4800.0,N,01100.0,E,NA,05,1,61,,,",
			`{"latitude":48,"longitude":11,"mode.0":"N","mode.1":"A","sVs":5,"hdop":1,"altitude":61}`},
		"GSA without a fix": {"GPGSA,A,1,,,,,,,,,,,,,,,", `{"mode":"A","fixType":"1"}`},
		"GSA of NMEA 4.10": {"GNGSA,A,3,80,,,,,,,,,,,71,1.5,0.9,1.2,A",
			`{"mode":"A","fixType":"3","pdop":1.5,"hdop":0.9,"vdop":1.2,"systemID":10,"sv.0":"80","sv.1":"71"}`},
		"GSV of a satellite without a signal": {"GAGSV,1,1,02,02,00,179,,04,,,",
			`{"totalMessages":1,"messageNumber":1,"numberSVsInView":2,"info.0.svprnNumber":2,"info.0.elevation":0,"info.0.azimuth":179,"info.1.svprnNumber":4}`},
		"GSV of NMEA 4.10": {"GBGSV,1,1,01,02,00,179,,B",
			`{"totalMessages":1,"messageNumber":1,"numberSVsInView":1,"signalID":11,"info.0.svprnNumber":2,"info.0.elevation":0,"info.0.azimuth":179}`},
		"GSV of no satellite": {"GQGSV,1,1,00,7",
			`{"totalMessages":1,"messageNumber":1,"numberSVsInView":0,"signalID":7}`},
		"GSV of no satellite, older":   {"GPGSV,1,1,00", `{"totalMessages":1,"messageNumber":1,"numberSVsInView":0}`},
		"ZDA before the time is known": {"GPZDA,,,,,,", `{}`},
		"HDT without a compass":        {"HEHDT,,T", `{"true":true}`},
		"HDG of an empty variation":    {"HCHDG,98.3,0.0,E,,", `{"heading":98.3,"deviation":0,"deviationDirection":"E"}`},
		"THS that is void":             {"HETHS,12.5,V", `{"status":"V"}`},
		"ROT that is void":             {"HEROT,0.0,V", `{"valid":false}`},
		"MWV that is void": {"WIMWV,000.0,R,00.0,N,V",
			`{"reference":"R","windSpeedUnit":"N","statusValid":false}`},
		"DPT without depth":  {"SDDPT,,0.5", `{"offset":0.5}`},
		"DBT in metres only": {"SDDBT,,f,3.7,M,,F", `{"depthMeters":3.7}`},
		"XDR of a sensor that is out": {"WIXDR,C,,C,AIR,P,1.02,B,BARO",
			`{"measurements.0.transducerType":"C","measurements.0.unit":"C","measurements.0.transducerName":"AIR","measurements.1.transducerType":"P","measurements.1.value":1.02,"measurements.1.unit":"B","measurements.1.transducerName":"BARO"}`},
		"distance in another unit": {"GPBWC,,4800.0,N,01100.0,E,213.8,T,,,4.6,K,EGLM",
			`{"latitude":48,"longitude":11,"bearingTrue":213.8,"bearingTrueType":"T","distanceNauticalMilesUnit":"K","destinationWaypointID":"EGLM"}`},
		"text with commas": {"GPTXT,01,01,02,u-blox, Switzerland",
			`{"totalNumber":1,"number":1,"id":2,"message":"u-blox,Switzerland"}`},
		"text with a backslash":    {`GPTXT,01,01,02,a\b`, `{"totalNumber":1,"number":1,"id":2,"message":"a\\b"}`},
		"text that is not UTF-8":   {"GPTXT,01,01,02,\xb0C", `{"totalNumber":1,"number":1,"id":2,"message":"�C"}`},
		"a query":                  {"CCGPQ,GGA", `{"destinationTalkerID":"GP","requestedSentence":"GGA"}`},
		"a query without a talker": {"Q,GGA", `{"requestedSentence":"GGA"}`},
		"proprietary Q":            {"PQ,GGA", `{"fields":["GGA"]}`},
		"proprietary, unknown": {"PUBX,00,,4800.0,N,,E,,NF",
			`{"fields":["00",null,"4800.0","N",null,"E",null,"NF"]}`},
		"unknown, without fields": {"GPXYZ", `{}`},
		"unknown, not UTF-8":      {"GPX\xb0Z,\xff", `{"fields":["�"]}`},
		"of the PGN sentence": {"MXPGN,01F112,B807,FC7F",
			`{"pgn":127250,"isSend":true,"priority":3,"address":7,"data.0":252,"data.1":127}`},
	} {
		t.Run(name, func(t *testing.T) {
			text, typed := values(t, sentence(tt.body))
			if text != tt.want {
				t.Errorf("%s is\n%s, want\n%s", tt.body, text, tt.want)
			}
			var all map[string]any
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				t.Fatal(err)
			}
			delete(typed, "")
			delete(all, "fields")
			if !slices.Equal(slices.Sorted(maps.Keys(typed)), slices.Sorted(maps.Keys(all))) {
				t.Errorf("typed: %v", typed)
			}
		})
	}
}

// TestEmptyFields: a sentence of any known type with only empty fields has no values.
func TestEmptyFields(t *testing.T) {
	for kind := range compiled() {
		start, name := "$", strings.TrimPrefix(kind, "!")
		if name != kind {
			start = "!"
		}
		if kind == nmea.TypeQuery {
			continue // its name is a value
		}
		if name[0] != 'P' || name == "PGN" {
			name = "GP" + name
		}
		for n := range 30 {
			body := name + strings.Repeat(",", n)
			if text, typed := values(t, start+body+"*"+nmea.Checksum(body)); text != "{}" || len(typed) > 0 {
				t.Errorf("%s is %s, %v", body, text, typed)
			}
		}
	}
}

func TestNullFieldsOfReceivers(t *testing.T) {
	data, err := os.ReadFile("testdata/nmea-null-fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		_, typed := values(t, string(line))
		_, hasLatitude := typed["latitude"]
		if _, hasLongitude := typed["longitude"]; hasLatitude != hasLongitude ||
			hasLatitude != bytes.Contains(line, []byte("4800")) {
			t.Errorf("%s is %v", line, typed)
		}
		for _, key := range []string{"course", "trueTrack", "altitude", "variation"} {
			if v, has := typed[key]; has {
				t.Errorf("%s has %s %v", line, key, v)
			}
		}
	}
}

func TestChecksumOfSentences(t *testing.T) {
	whole := sentence("GPRMC,092750.000,A,4800.0000,N,01100.0000,E,0.02,31.66,280511,,,A")
	bare, _, _ := strings.Cut(whole, "*")
	for name, tt := range map[string]struct {
		line             string
		always, optional error
	}{
		"right":         {whole, nil, nil},
		"in lower case": {"$GNVTG,,T,,M,0.120,N,0.222,K,A*3c", nil, nil},
		"wrong":         {bare + "*00", errWrongChecksum, errWrongChecksum},
		"cut off":       {bare + "*5", errWrongChecksum, errWrongChecksum},
		"none":          {bare, errNoChecksum, nil},
		"empty":         {bare + "*", errNoChecksum, nil},
		"no sentence":   {"hello", errNoSentence, errNoSentence},
		"nothing":       {"", errNoSentence, errNoSentence},
		"no address":    {"$*00", errNoSentence, errNoSentence},
	} {
		for _, n := range []*NMEA{{}, {ChecksumOptional: true}} {
			want := tt.always
			if n.ChecksumOptional {
				want = tt.optional
			}
			err := n.Read([]byte(tt.line+"\r"), &serialv1.SerialMessage{})
			var refused *RefusedError
			if want == nil && err != nil || want != nil && (!errors.As(err, &refused) || refused.Problem != want.Error()) {
				t.Errorf("%s, optional %v: %v, want %v", name, n.ChecksumOptional, err, want)
			}
		}
	}
	if err := fmt.Sprint(NewNMEA().Read([]byte(bare), &serialv1.SerialMessage{})); !strings.Contains(err,
		"checksumOptional: true") {
		t.Errorf("%s does not name the remedy", err)
	}
}
