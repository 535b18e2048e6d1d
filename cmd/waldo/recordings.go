package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/recording/folder"
)

// recorderKind is the kind of the devices that record.
const recorderKind = "recorder"

type recordingsCommand struct {
	remote `embed:""`
	Paths  []string `arg:"" optional:"" name:"path" help:"Folders with recordings, and MCAP files. Default: those of the robot's recorder, over the bus."`
	Device string   `placeholder:"NAME" help:"The recorder, if the robots on the bus have several."`
	JSON   bool     `name:"json" help:"Print JSON: a list of objects."`
}

// Help explains the command.
func (*recordingsCommand) Help() string {
	return `A recording is one file, or several that follow one another; its name is that of the first. PROBLEM tells of
files that were repaired after a crash, are damaged, or are missing. For example:

  waldo recordings                                         # of the robot's recorder
  waldo recordings ./recordings                            # of a folder, without a robot
  waldo recordings --json | jq -r '.[0].files[]'           # the files of the newest one`
}

// recorded is a recording as `waldo recordings --json` prints it.
type recorded struct {
	Robot    string        `json:"robot,omitempty"`    // whose recorder has it; empty for a file
	Recorder string        `json:"recorder,omitempty"` // name of the device
	Folder   string        `json:"folder,omitempty"`   // that was asked for
	Name     string        `json:"name"`
	Start    time.Time     `json:"start,omitzero"`
	Seconds  float64       `json:"duration_seconds"`
	Size     int64         `json:"size_bytes"`
	Messages int64         `json:"message_count"`
	Files    []string      `json:"files"`
	Devices  []string      `json:"devices"`
	Marks    []recordedTag `json:"marks"`
	Open     bool          `json:"open,omitempty"` // it is being written
	Problem  string        `json:"problem,omitempty"`
}

// recordedTag is a mark.
type recordedTag struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
	By   string    `json:"by,omitempty"`
}

// Run lists the recordings.
func (r *recordingsCommand) Run(ctx context.Context, c console) error {
	var all []recorded
	var err error
	if len(r.Paths) > 0 {
		all, err = r.local()
	} else {
		err = r.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
			all, err = r.far(ctx, conn)
			return err
		})
	}
	if err != nil {
		return err
	}
	if !r.JSON {
		return printRecordings(c.plain().out, all)
	}
	if all == nil {
		all = []recorded{}
	}
	encoder := json.NewEncoder(c.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}

// local lists what is in folders and files.
func (r *recordingsCommand) local() (all []recorded, err error) {
	paths, err := findRecordings(r.Paths)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		about, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !about.IsDir() {
			one, err := folder.Describe(path)
			if err != nil {
				return nil, err
			}
			all = append(all, tell(one))
			continue
		}
		inside, err := inFolder(path)
		if err != nil {
			return nil, err
		}
		all = append(all, inside...)
	}
	return all, nil
}

// inFolder lists the recordings of a folder, and then other MCAP files: those that somebody has renamed, or another
// program has made.
func inFolder(path string) (all []recorded, err error) {
	list, err := folder.New(path).List()
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		told := tell(one)
		told.Folder = path
		all = append(all, told)
	}
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err // it names the folder
	}
	for _, file := range files {
		name := file.Name()
		if _, ours := folder.Parse(name); ours || filepath.Ext(name) != ".mcap" || !file.Type().IsRegular() {
			continue
		}
		one, err := folder.Describe(filepath.Join(path, name))
		if err != nil {
			return nil, err
		}
		told := tell(one)
		told.Folder = path
		all = append(all, told)
	}
	return all, nil
}

// far asks the recorders on the bus.
func (r *recordingsCommand) far(ctx context.Context, conn *bus.Conn) (all []recorded, err error) {
	begin := time.Now()
	devices, err := r.answering(ctx, conn)
	if err != nil {
		return nil, err
	}
	found := false
	for _, d := range devices {
		a := bus.Address{Robot: d.GetRobot(), Device: d.GetName()}
		if !r.isMeant(d, a) {
			continue
		}
		found = true
		list, err := listRecordings(ctx, recorderv1.NewRecorderServiceClient(conn.Client(a)))
		if err != nil {
			return nil, fmt.Errorf("%s: %s", a, status.Convert(err).Message())
		}
		for _, one := range list {
			told := tell(one)
			told.Robot, told.Recorder = a.Robot, a.Device
			all = append(all, told)
		}
	}
	switch {
	case found:
		return all, nil
	case r.Device != "":
		return nil, fmt.Errorf("--device: no recorder %q has answered %s: waldo ls lists the devices", r.Device,
			within(begin))
	}
	return nil, fmt.Errorf("no recorder has answered %s: is `waldo up` running with a recorder in robot.yaml, as "+
		"`recorder: {kind: recorder}`? Without one, name a folder: waldo recordings FOLDER", within(begin))
}

func (r *recordingsCommand) isMeant(d *devicev1.Device, a bus.Address) bool {
	if r.Device != "" {
		return r.Device == a.Device || r.Device == a.String()
	}
	return d.GetKind() == recorderKind
}

// maxListed bounds how many recordings are listed.
const maxListed = 100_000

// listRecordings asks for all pages.
func listRecordings(ctx context.Context, c recorderv1.RecorderServiceClient) (all []*recorderv1.Recording, err error) {
	request := &recorderv1.ListRecordingsRequest{PageSize: 200}
	for len(all) < maxListed {
		page, err := c.ListRecordings(ctx, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.GetRecordings()...)
		if page.GetNextPageToken() == "" || page.GetNextPageToken() == request.GetPageToken() {
			break
		}
		request.PageToken = page.GetNextPageToken()
	}
	return all, nil
}

func tell(one *recorderv1.Recording) recorded {
	told := recorded{
		Name: one.GetName(), Seconds: one.GetDuration().AsDuration().Seconds(), Size: one.GetSizeBytes(),
		Messages: one.GetMessageCount(), Files: one.GetFiles(), Devices: one.GetDevices(), Marks: []recordedTag{},
		Open: one.GetOpen(), Problem: one.GetProblem(),
	}
	if one.GetStartTime() != nil {
		told.Start = one.GetStartTime().AsTime()
	}
	if told.Devices == nil {
		told.Devices = []string{}
	}
	for _, m := range one.GetMarks() {
		told.Marks = append(told.Marks, recordedTag{m.GetTime().AsTime(), m.GetText(), m.GetBy()})
	}
	return told
}

func printRecordings(to io.Writer, all []recorded) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tSTART\tDURATION\tSIZE\tDEVICES\tMARKS\tPROBLEM") // Flush reports errors
	for _, r := range all {
		start := "-"
		if !r.Start.IsZero() {
			start = r.Start.Local().Format("2006-01-02 15:04:05")
		}
		problem := r.Problem
		if r.Open {
			problem = strings.TrimSuffix("being written; "+problem, "; ")
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, start,
			time.Duration(r.Seconds*float64(time.Second)).Round(time.Second/10), sizeText(r.Size),
			cmp.Or(strings.Join(r.Devices, ","), "-"), marksText(r.Marks), cmp.Or(problem, "-"))
	}
	return w.Flush()
}

// marksText is the texts of the first marks.
func marksText(all []recordedTag) string {
	const most = 3
	var texts []string
	for _, m := range all[:min(len(all), most)] {
		texts = append(texts, m.Text)
	}
	if len(all) > most {
		texts = append(texts, fmt.Sprintf("and %d more", len(all)-most))
	}
	return cmp.Or(strings.Join(texts, ", "), "-")
}

// sizeText is a number of bytes for people.
func sizeText(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
