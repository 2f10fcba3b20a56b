// The other end of the "serial" actuator: a hand that opens and closes, and that stops by itself. Its settings:
//
//   port = "/dev/serial/by-id/..."
//   table = { left = "L", right = "R" }
//   neutral = "S"
//   acknowledge = "echo"
//   heartbeat = "h"
//   ready = "bci-hand 1\n"
//
// One byte for each order, answered with itself; heartbeats are not answered. devices/actuators/serial_commands.py says more.
//
// The motor runs only while heartbeats (or orders) keep coming: 250 ms without one, and it stops, whatever happened to the
// computer, its programs or the cable. That does not replace an emergency stop that cuts the motor's current.

const int PIN_CLOSE = 5;   // H-bridge inputs; both low is stop
const int PIN_OPEN = 6;
const unsigned long TIMEOUT_MS = 250;

bool moving = false;
unsigned long lastHeard = 0;

void drive(int closing, int opening) {
  digitalWrite(PIN_CLOSE, LOW);   // never both at once, not even for a moment
  digitalWrite(PIN_OPEN, LOW);
  if (closing) digitalWrite(PIN_CLOSE, HIGH);
  if (opening) digitalWrite(PIN_OPEN, HIGH);
  moving = closing || opening;
}

void obey(int order) {
  switch (order) {
    case 'L': drive(1, 0); break;
    case 'R': drive(0, 1); break;
    case 'S': drive(0, 0); break;
    case 'h': lastHeard = millis(); return;   // a heartbeat keeps going what goes; it starts nothing
    default: drive(0, 0); Serial.write('?'); return;   // not understood means stop
  }
  lastHeard = millis();
  Serial.write(order);
}

void setup() {
  pinMode(PIN_CLOSE, OUTPUT);
  pinMode(PIN_OPEN, OUTPUT);
  drive(0, 0);
  Serial.begin(115200);
  Serial.print("bci-hand 1\n");
}

void loop() {
  // Before reading: an order that waited while nothing was heard must not find the motor running.
  if (moving && millis() - lastHeard >= TIMEOUT_MS) drive(0, 0);
  if (Serial.available() > 0) obey(Serial.read());
}
