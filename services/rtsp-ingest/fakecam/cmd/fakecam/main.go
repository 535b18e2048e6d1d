// Command fakecam is a network camera for trying things without one: RTSP, Motion JPEG over HTTP, RTMP and the protocol
// of Insta360, well-behaved or with any oddity of package fakecam.
//
//	fakecam                                     # rtsp://127.0.0.1:8554/live
//	fakecam --list                              # the oddities
//	fakecam --behave marker-never --rtsp :8554
//	fakecam --clip bframes.h265 --sound tone.opus
//	fakecam --behave long-gop --obeys fir       # sends a key picture each 16 s, and when it is asked by a FIR
//	fakecam --onvif 127.0.0.1:8000              # is found by `waldo discover`, and can be moved
//	fakecam --speaker PCMU --heard said.s16     # writes down what is said to it
//	fakecam --insta360 127.0.0.1:6666           # insta360://127.0.0.1:6666, with samples of its motion
//	FAKECAM_PASSWORD=secret fakecam --user admin
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	rtsp, http, rtmp    string
	onvif, insta360     string
	behave, clip, sound string
	back, heard         string
	obeys               string
	user                string
	viewers             int
	list                bool
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("fakecam", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.rtsp, "rtsp", "127.0.0.1:8554", "where RTSP listens, at /live, as host:port; empty is nowhere")
	f.StringVar(&o.http, "http", "", "where Motion JPEG over HTTP listens, at /video and /picture")
	f.StringVar(&o.rtmp, "rtmp", "", "where RTMP listens, at /live/stream")
	f.StringVar(&o.insta360, "insta360", "", "where a camera of Insta360 listens, which needs no login")
	f.StringVar(&o.onvif, "onvif", "", "where ONVIF listens, which names the stream of RTSP; "+
		"it is found on this machine, and prints how it is moved")
	f.StringVar(&o.behave, "behave", "", "an oddity; --list names them")
	f.StringVar(&o.clip, "clip", "", "the pictures of RTSP, RTMP and Insta360: "+strings.Join(fakecam.Clips(), ", "))
	f.StringVar(&o.sound, "sound", "", "the sound of RTSP and RTMP: PCMU, PCMA, L16, tone.aac or tone.opus; none if empty")
	f.StringVar(&o.back, "speaker", "", "what the loudspeaker of RTSP takes: PCMU, PCMA or L16; there is none if empty")
	f.StringVar(&o.heard, "heard", "", "a file for what is said, as 16 bit little endian samples at 8 kHz; none if empty")
	f.StringVar(&o.obeys, "obeys", "", "how RTSP can be asked for key pictures: pli, fir, and point for ONVIF's "+
		"SetSynchronizationPoint; several with commas")
	f.StringVar(&o.user, "user", "", "who may watch, with the password in FAKECAM_PASSWORD; everybody if empty")
	f.IntVar(&o.viewers, "viewers", 0, "how many may watch RTSP at a time; 0 is no bound")
	f.BoolVar(&o.list, "list", false, "list the oddities and end")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("fakecam takes flags only, not %q: see fakecam --help", f.Arg(0))
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args, out)
	if err != nil {
		return err
	}
	if o.list {
		return list(out)
	}
	cameras, err := start(o, out)
	defer func() {
		for _, c := range cameras {
			c.Close()
		}
	}()
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func list(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, b := range fakecam.Behaviours() {
		fmt.Fprintf(w, "%s\t%s\t(%s)\n", b.Name, b.Seen, b.Source)
	}
	for _, b := range fakecam.JPEGBehaviours() {
		fmt.Fprintf(w, "%s\t%s\t(%s)\n", b.Name, b.Seen, b.Source)
	}
	return w.Flush()
}

// closer is a camera that runs.
type closer interface{ Close() }

// file is closed like a camera.
type file struct{ *os.File }

func (f file) Close() { _ = f.File.Close() } // what was written is there

// start starts the cameras that are asked for, and says where they are.
func start(o options, out io.Writer) ([]closer, error) {
	config, jpeg, err := configs(o)
	if err != nil {
		return nil, err
	}
	var cameras []closer
	if o.heard != "" {
		f, err := os.Create(o.heard)
		if err != nil {
			return nil, fmt.Errorf("--heard: %w", err)
		}
		config.Speaker = f
		cameras = append(cameras, file{f})
	}
	var asked *fakecam.Camera // by ONVIF
	if o.rtsp != "" {
		c, err := fakecam.New(config)
		if err != nil {
			return cameras, err
		}
		if o.can("point") {
			asked = c
		}
		cameras = append(cameras, c)
		say(out, c.URL())
	}
	if o.http != "" {
		c, err := fakecam.NewJPEG(jpeg)
		if err != nil {
			return cameras, err
		}
		cameras = append(cameras, c)
		say(out, c.URL()+"\n"+c.PictureURL())
	}
	if o.rtmp != "" {
		c, err := fakecam.NewRTMP(rtmp(o, config))
		if err != nil {
			return cameras, err
		}
		cameras = append(cameras, c)
		say(out, c.URL())
	}
	if o.insta360 != "" {
		c, err := fakecam.NewInsta360(ball(o, config))
		if err != nil {
			return cameras, err
		}
		cameras = append(cameras, c)
		say(out, c.URL())
	}
	if o.onvif != "" {
		c, err := fakecam.NewONVIF(onvif(o, config.Login, asked, out))
		if err != nil {
			return cameras, err
		}
		cameras = append(cameras, c)
		say(out, c.URL())
	}
	return cameras, nil
}

// onvif returns the configuration of ONVIF, which names what RTSP sends, and asks it for key pictures
// unless asked is nil.
func onvif(o options, login fakecam.Login, asked *fakecam.Camera, out io.Writer) fakecam.ONVIFConfig {
	return fakecam.ONVIFConfig{
		Listen: o.onvif, RTSP: o.rtsp, Stream: "/live",
		Login: fakecam.Login{User: login.User, Password: login.Password}, Discovery: &fakecam.Discovery{Port: 3702},
		Camera: asked,
		Told: func(operation string, m fakecam.Motion) {
			say(out, fmt.Sprintf("%s: pan %.2f, tilt %.2f, zoom %.2f", operation, m.Pan, m.Tilt, m.Zoom))
		},
	}
}

// can says whether the camera obeys a way to ask it for key pictures.
func (o *options) can(way string) bool { return slices.Contains(strings.Split(o.obeys, ","), way) }

// say prints a line. Who does not read it still has the cameras.
func say(out io.Writer, line string) { _, _ = fmt.Fprintln(out, line) }

// configs returns the configurations of RTSP and HTTP.
func configs(o options) (fakecam.Config, fakecam.JPEGConfig, error) {
	var config fakecam.Config
	var jpeg fakecam.JPEGConfig
	b, isRTSP := fakecam.BehaviourNamed(o.behave)
	j, isHTTP := fakecam.JPEGBehaviourNamed(o.behave)
	switch {
	case isRTSP:
		config = b.Config
	case isHTTP && o.http == "":
		return config, jpeg, fmt.Errorf("--behave %s is of HTTP: add --http 127.0.0.1:8080", o.behave)
	case isHTTP:
		jpeg = j.Config
	case o.behave != "":
		return config, jpeg, fmt.Errorf("--behave %s is not known: see fakecam --list", o.behave)
	}
	for way := range strings.SplitSeq(o.obeys, ",") {
		if !slices.Contains([]string{"", "pli", "fir", "point"}, way) {
			return config, jpeg, fmt.Errorf("--obeys %s is not known: take pli, fir or point", way)
		}
	}
	if o.obeys != "" {
		config.Obeys = fakecam.Obeys{PLI: o.can("pli"), FIR: o.can("fir")}
	}
	config.Listen, jpeg.Listen = o.rtsp, o.http
	if o.user != "" {
		config.Login.User, config.Login.Password = o.user, os.Getenv("FAKECAM_PASSWORD")
		jpeg.Login.User, jpeg.Login.Password = o.user, os.Getenv("FAKECAM_PASSWORD")
	}
	if o.viewers > 0 {
		config.Session.Viewers = o.viewers
	}
	tracks, err := tracks(o)
	if tracks != nil {
		config.Tracks = tracks
	}
	return config, jpeg, err
}

// tracks returns the tracks that the flags name, nil for none.
func tracks(o options) ([]fakecam.Track, error) {
	if o.clip == "" && o.sound == "" && o.back == "" {
		return nil, nil
	}
	clip := "baseline.h264"
	if o.clip != "" {
		clip = o.clip
	}
	if !slices.Contains(fakecam.Clips(), clip) {
		return nil, fmt.Errorf("--clip %s is not known: take one of %s", clip, strings.Join(fakecam.Clips(), ", "))
	}
	tracks := []fakecam.Track{{Media: fakecam.Clip(clip)}}
	switch o.sound {
	case "":
	case fakecam.PCMU, fakecam.PCMA, fakecam.L16:
		tracks = append(tracks, fakecam.Track{Media: fakecam.Tone(o.sound, 8000)})
	case "tone.aac", "tone.opus":
		tracks = append(tracks, fakecam.Track{Media: fakecam.Clip(o.sound)})
	default:
		return nil, fmt.Errorf("--sound %s is not known: take PCMU, PCMA, L16, tone.aac or tone.opus", o.sound)
	}
	switch o.back {
	case "":
	case fakecam.PCMU, fakecam.PCMA, fakecam.L16:
		tracks = append(tracks, fakecam.Track{Media: fakecam.Tone(o.back, 8000), BackChannel: true})
	default:
		return nil, fmt.Errorf("--speaker %s is not known: take PCMU, PCMA or L16", o.back)
	}
	return tracks, nil
}

// rtmp returns the configuration of RTMP: of what RTSP sends, what RTMP can carry.
func rtmp(o options, config fakecam.Config) fakecam.RTMPConfig {
	r := fakecam.RTMPConfig{Listen: o.rtmp, Login: config.Login}
	for _, t := range config.Tracks {
		if t.BackChannel {
			continue
		}
		switch t.Media.Encoding {
		case fakecam.H264, fakecam.H265:
			r.Video = t.Media
		case fakecam.AAC, fakecam.PCMU, fakecam.PCMA:
			r.Sound = t.Media
		}
	}
	return r
}

// ball returns the configuration of a camera of Insta360.
func ball(o options, config fakecam.Config) fakecam.Insta360Config {
	return fakecam.Insta360Config{
		Listen: o.insta360, Video: rtmp(o, config).Video, Gyro: gyroSize,
		Info: wire.Options{
			Battery: &wire.Battery{Level: 80, Scale: 100}, Storage: &wire.Storage{Free: 50 << 30, Total: 64 << 30},
			Serial: "FAKE0001", Firmware: "v1.0.0", CameraType: "fakecam",
		},
		Files: []string{"/DCIM/Camera01/IMG_1.insp", "/DCIM/Camera01/VID_1.insv"},
	}
}

const gyroSize = 56 // bytes of a record of motion, with its own time
