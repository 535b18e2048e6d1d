package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
)

type snapshotCommand struct {
	remote `embed:""`
	Device string `arg:"" help:"Name of the camera, for example front, or demo/front."`
	Output string `short:"o" placeholder:"FILE" help:"Where to write the JPEG; - is the standard output. Default: <device>.jpg."`
	Width  int32  `placeholder:"PIXELS" help:"Width of the picture. Default: as the camera is configured."`
	Height int32  `placeholder:"PIXELS" help:"Height of the picture. Default: to match the width."`
}

// Help explains the command.
func (*snapshotCommand) Help() string {
	return `The picture is taken after the request has reached the camera, so it is never an old one. For example:

  waldo snapshot front -o now.jpg
  waldo snapshot front --width 320 -o - | base64`
}

// Run takes the picture and writes it.
func (s *snapshotCommand) Run(ctx context.Context, c console) error {
	return s.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
		address, err := s.find(ctx, conn, s.Device)
		if err != nil {
			return err
		}
		picture, err := s.capture(ctx, conn, address)
		if err != nil {
			return err
		}
		if s.Output == "-" {
			_, err := c.out.Write(picture)
			return err
		}
		file := s.Output
		if file == "" {
			file = address.Device + ".jpg"
		}
		if err := writeFile(file, picture); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.err, "wrote %s, %d bytes\n", file, len(picture))
		return err
	})
}

// capture asks the camera for a JPEG.
func (s *snapshotCommand) capture(ctx context.Context, conn *bus.Conn, address bus.Address) ([]byte, error) {
	response, err := camerav1.NewCameraServiceClient(conn.Client(address)).CaptureFrame(ctx,
		&camerav1.CaptureFrameRequest{
			Format: &mediav1.VideoFormat{MediaType: "image/jpeg", WidthPx: s.Width, HeightPx: s.Height}})
	switch {
	case status.Code(err) == codes.Unimplemented:
		return nil, fmt.Errorf("%s is not a camera", address)
	case err != nil:
		return nil, fmt.Errorf("%s: %s", address, status.Convert(err).Message())
	}
	return response.GetFrame().GetData(), nil
}

// writeFile writes a file completely or not at all: nobody ever sees half a picture.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails once the file has its final name
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
