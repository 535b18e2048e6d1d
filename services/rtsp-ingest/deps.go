package main

import (
	_ "github.com/waldo-robot/waldo/video/camera"
	_ "github.com/waldo-robot/waldo/video/codec/standard"
)
