// The rover's firmware, but two commands make it hang with its motors running, as a bug in loop() would. For tests
// only.

#define loop workingLoop
#include "../../rover/rover.ino"
#undef loop

void loop() {
  workingLoop();
  if (left.duty() == 101 && right.duty() == 101) {
    for (;;) {
    }
  }
  if (left.duty() == 102 && right.duty() == 102) {
    noInterrupts();
    for (;;) {
    }
  }
}
