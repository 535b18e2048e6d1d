// Package readme runs the commands that the project's READMEs tell people to run, so that none of them is wrong.
//
// A table names, for each README, its commands in order and how each is run: to its end, or left running as in a second
// terminal. A command that a README has and the table has not fails the test, and so does one that the table has and
// the README lost. What needs hardware, or is run by another target of the Makefile, says so there with a reason.
//
// Everything runs in a copy of the sources, with a home of its own, in a network namespace of its own: the addresses
// that the READMEs name are free there, whatever else this machine runs. Descriptions of robots (blocks of YAML) are
// written to the file that the commands after them use, and each device of theirs is checked by its own program.
package readme
