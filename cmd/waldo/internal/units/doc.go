// Package units makes the devices of a robot.yaml units of systemd: waldo-device@NAME.service for each, beside
// waldo-gateway.service and waldo-bus.service, all of them part of waldo.target.
//
// The unit files themselves, and what each kind of device may do (/usr/lib/waldo/kinds/KIND.conf), come with packages.
// [Installation.Apply] writes only what follows from robot.yaml:
//
//	/etc/waldo/units/robot.yaml                                    the file as it was checked, which the units read
//	/etc/systemd/system/waldo-device@front.service.d/10-kind.conf  a link to the kind's file
//	/etc/systemd/system/waldo-device@front.service.d/20-robot.conf what else the device needs
//	/etc/systemd/system/waldo.target.wants/…                       links: these units are started with the robot
//	/etc/waldo/credentials/front.seed                              the key of its process on the bus, for root only
//	/etc/waldo/credentials/front.token                             by what it checks what its callers present
//	/etc/waldo/token                                               the secret of the robot, if MakeToken says so, for root only
//	/etc/waldo/bus-keys.json                                       the public keys, and what the holder of each may do
//
// Files that people add beside these, as `systemctl edit` does, stay. To write the same again changes nothing, and what
// has not changed is not restarted.
//
// Everything works below a folder ([Installation.Root]), where another system is made ready, without systemd running
// there. [Control] is about units that run. Nothing here starts a goroutine.
package units
