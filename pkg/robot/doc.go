// Package robot reads robot.yaml, the one file that describes a robot.
//
//	robot: demo
//	devices:
//	  front: {kind: camera, source: test, width: 1280, height: 720}
//	  motors: {kind: serial, port: /dev/ttyACM0}
//	drive: {device: motors, keys: {left: {forward: 100, turn: 50}, right: {forward: 100, turn: -50}}}
//	gateway: {http: "127.0.0.1:8080"}
//	nats: {listen: "127.0.0.1:4222"}
//	fleet: {hub: "tls://hub.example.org", key: hub.seed}
//
// [Load] checks what every robot has in common: names, kinds, addresses. What is particular to a kind of device stays a
// [Section] until the program that knows its fields asks for them with [Section.Decode]. Flags and environment
// variables go the same way, by [Section.Override], so there is one set of rules and one sort of error for all three:
//
//	robot.yaml:3: devices.front: unknown key "widht" (did you mean "width"?)
//	--width: "wide" is not a whole number
//
// Reading is strict, and reports everything that is wrong at once: an unknown key, a key given twice, a number with a
// fraction where a whole one is wanted are errors. Anchors, aliases and tags of YAML are refused, so a file means what
// it shows and cannot grow when it is read.
//
// Keys are spelled in camelCase: jpegQuality. Structs may have keys with underscores all the same; but a struct whose
// key is jpegQuality also takes jpeg_quality, the spelling of earlier versions, and [Section.Warnings] reports it.
//
// Nothing here starts a goroutine. A Robot may be read by many goroutines as long as none calls Override.
package robot
