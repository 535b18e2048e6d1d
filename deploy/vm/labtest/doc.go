// Package labtest holds the tests that run in the hardware lab's virtual machine, against real kernel drivers.
//
// The tests are ordinary Go tests. The test binary is built on the host and copied into the guest with the programs
// under test; there it runs as root. On any other machine the tests are skipped, because they load kernel modules and
// pull out cameras; with WALDO_REQUIRE_HARDWARE=1 they fail instead, so that a broken lab cannot pass.
package labtest
