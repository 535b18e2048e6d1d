/** @file The actuator of the tests obeys the rules of pkg/control: it replays what the arbiter did. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FakeActuator } from './rig.js';

const CONTROL = 'waldo.control.v1.ControlService/';
const WRITE = 'waldo.serial.v1.SerialService/WriteMessage';
const METHODS = { acquire: 'Acquire', take: 'Take', keepAlive: 'KeepAlive', release: 'Release', eStop: 'EStop', clearEStop: 'ClearEStop' };

const steps = readFileSync(new URL('../../../../pkg/control/testdata/judged.jsonl', import.meta.url), 'utf8')
  .trimEnd().split('\n').map((line) => JSON.parse(line));
const seconds = (ms = 0) => `${ms / 1000}s`;

/** The request of a page for a step, and what comes of it in the words of the arbiter. */
function call(actuator, s) {
  const id = String(s.id);
  if (s.call !== 'command') {
    const r = actuator.handle(CONTROL + METHODS[s.call], { holder: 'somebody', by: 'somebody', key: '', leaseEpoch: id, id });
    const state = r.response?.state;
    return { got: r.error ? 'refused' : 'done', begun: r.response?.lease?.epoch ?? (s.call === 'eStop' ? state.eStop.id : undefined) };
  }
  actuator.handle(WRITE, {
    json: s.neutral ? actuator.safe : '{"left":1, "right":0}',
    control: { leaseEpoch: id, sequence: String(s.sequence ?? 0), heard: seconds(s.heard), life: seconds(s.life) },
  });
  return { got: actuator.judged.at(-1).verdict.toLowerCase() };
}

test('the actuator of the tests judges as the arbiter does', () => {
  const env = { time: 0 };
  let actuator;
  for (const [i, s] of steps.entries()) {
    env.time = s.at;
    let done = { got: 'done' };
    if (s.call === 'start') actuator = new FakeActuator(env);
    else done = call(actuator, s);
    const { phase, cause } = actuator.state;
    assert.deepEqual(
      { ...done, phase: phase.toLowerCase(), cause: cause.toLowerCase() },
      { got: s.got, ...(s.call !== 'start' && s.call !== 'command' && { begun: s.new && String(s.new) }),
        phase: `control_phase_${s.phase}`, cause: `safe_cause_${s.cause}` },
      `line ${i + 1}: ${JSON.stringify(s)}`);
  }
  assert.ok(steps.length >= 600, `${steps.length} steps`);
});
