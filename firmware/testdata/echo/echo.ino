// Echoes every byte. For tests of the simulated serial port only.

void setup() { Serial.begin(115200); }

void loop() {
  while (Serial.available() > 0 && Serial.availableForWrite() > 0) {
    Serial.write((uint8_t)Serial.read());
  }
}
