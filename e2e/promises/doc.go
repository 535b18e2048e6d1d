// Package promises guards the most important numbers of docs/numbers.md, so that none gets worse unnoticed.
//
// Each check measures Waldo and a yardstick in the same run and compares the two, so that the ratio means the same on
// a fast, a slow or a busy machine:
//
//	check           Waldo                                       yardstick
//	PlayoutDelay    captured → shown, asking for playout-delay  the same player, same page, without asking
//	Encodes         frames encoded for three viewers            frames captured
//	FirstPicture    WHEP POST → first picture                   two peers inside one page, offer → first picture
//	CameraCrash     camera killed → next picture in Chromium    a camera started by hand → its first frame
//
// The cost of a viewer against bare pion is checked by the gateway's own fanoutbench. `make promises` runs them all.
//
// A limit is far enough from the usual ratio for a busy machine, and near enough to notice when a feature stops
// working. A check that fails is measured again, twice at most: noise passes by then, a regression does not.
package promises
