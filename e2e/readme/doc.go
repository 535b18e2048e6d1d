// Package readme runs the commands that the project's READMEs tell people to run, so that all of them work.
//
// A table lists, for each README, its commands in order and how each is run: to its end, or left running as in a
// second terminal. A command that only the README has fails the test, and so does one that only the table has. A
// command that needs hardware, or that another target of the Makefile runs, is left out with a reason.
//
// Pages that a README has people open are opened in Chromium, which looks for what they would see.
//
// Everything runs in a copy of the sources, with its own home directory, in its own network namespace: the addresses
// that the READMEs name are free there, whatever else this machine runs. Descriptions of robots (blocks of YAML) are
// written to the file that the commands after them use, and the program of each device checks its part. A block of
// Python that is a whole program is written to program.py.
package readme
