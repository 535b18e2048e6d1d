// Command waldo-rtsp-ingest makes a network camera a camera of the robot. See waldo-rtsp-ingest --help.
package main

func main() {}
