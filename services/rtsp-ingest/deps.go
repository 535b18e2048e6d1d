package main

import (
	_ "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	_ "github.com/waldo-robot/waldo/video/camera"
	_ "github.com/waldo-robot/waldo/video/codec/standard"
)
