/** @file Servers of other versions than this package, and the page's package in a program. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { CameraService, StreamFramesResponseSchema } from '#gen/waldo/camera/v1/camera_service_pb.js';
import { DeviceState } from '#gen/waldo/device/v1/device_pb.js';
import { DeviceService } from '#gen/waldo/device/v1/device_service_pb.js';
import { connected, take, until } from './rig.js';

const device = { robot: 'rover', name: 'front', kind: 'camera', epoch: 7n, state: DeviceState.READY };

/** Serves methods; what is not given is not implemented, as on a server that does not have it. */
async function serve(t, methods) {
  const server = new Server({ 'grpc.max_send_message_length': -1 });
  for (const [method, handler] of methods) {
    server.addService({
      [method.name]: {
        path: `/${method.parent.typeName}/${method.name}`, requestStream: false,
        responseStream: method.methodKind === 'server_streaming',
        requestSerialize: (m) => Buffer.from(toBinary(method.input, m)),
        requestDeserialize: (b) => fromBinary(method.input, b),
        responseSerialize: (m) => (Buffer.isBuffer(m) ? m : Buffer.from(toBinary(method.output, m))),
        responseDeserialize: (b) => fromBinary(method.output, b),
      },
    }, { [method.name]: handler });
  }
  const port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  t.after(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

const watch = [
  DeviceService.method.watchDevice, (call) => call.write(create(DeviceService.method.watchDevice.output, { device })),
];

const frame = (sequence, more = {}) =>
  create(StreamFramesResponseSchema, {
    frame: {
      epoch: 7n, sequence: BigInt(sequence), format: { mediaType: 'image/jpeg' }, keyFrame: true,
      data: new Uint8Array(100_000),
    },
    ...more,
  });

describe('an older server', () => {
  test('that knows no windows is read, and held back by flow control', async (t) => {
    let sent = 0;
    const address = await serve(t, [watch, [CameraService.method.streamFrames, (call) => {
      const more = () => {
        while (!call.cancelled && call.write(frame((sent += 1)))) if (sent >= 5000) return;
        call.once('drain', more);
      };
      more();
    }]]);
    const robot = connected(t, address);
    let last = 0;
    let read = 0;
    for await (const { sequence } of robot.video('front')) {
      assert.equal(sequence, last + 1, 'nothing is lost on the way');
      last = sequence;
      await sleep(10);
      if ((read += 1) === 50) break;
    }
    assert.ok(sent < 1000, `${sent} frames have been sent while 50 were read`);
  });

  test('without a method says so', async (t) => {
    const robot = connected(t, await serve(t, [watch]));
    await assert.rejects(take(robot.video('front'), 1), { code: 'UNIMPLEMENTED' });
    await assert.rejects(robot.call('front', 'waldo.serial.v1.SerialService/GetPort'), { code: 'UNIMPLEMENTED' });
    await assert.rejects(robot.call('front', 'my.own.v1.Service/Get'), { code: 'UNIMPLEMENTED' });
  });
});

describe('a newer server', () => {
  test('may say more than is known', async (t) => {
    const unknown = Buffer.from([0xfa, 0x7f, 3, 1, 2, 3]); // a field with the number 2047
    const [known] = [toBinary(StreamFramesResponseSchema, frame(1))];
    const robot = connected(t, await serve(t, [
      watch, [CameraService.method.streamFrames, (call) => call.write(Buffer.concat([known, unknown]))],
    ]));
    const [read] = await take(robot.video('front'), 1);
    assert.deepEqual([read.sequence, read.length], [1, 100_000]);
  });
});

describe('a server that goes wrong', () => {
  test('with garbage is asked again', async (t) => {
    let calls = 0;
    const robot = connected(t, await serve(t, [watch, [CameraService.method.streamFrames, (call) => {
      calls += 1;
      call.write(calls < 3 ? Buffer.from([255, 255, 255]) : frame(calls));
    }]]));
    const video = robot.video('front');
    const [read] = await take(video, 1);
    assert.equal(read.sequence, 3);
  });

  test('with a message of more than 64 MiB ends the loop with the reason', async (t) => {
    const huge = create(StreamFramesResponseSchema, { frame: { data: new Uint8Array(64 * 1024 * 1024 + 1) } });
    const robot = connected(t,
      await serve(t, [watch, [CameraService.method.streamFrames, (call) => call.write(huge)]]));
    await assert.rejects(take(robot.video('front'), 1), { code: 'RESOURCE_EXHAUSTED', message: /larger than max/ });
  });

  test('with an answer that never comes does not hold a call for ever', async (t) => {
    const robot = connected(t, await serve(t, [watch, [DeviceService.method.getDevice, () => {}]]));
    await assert.rejects(robot.call('front', 'waldo.device.v1.DeviceService/GetDevice', {}, { timeoutMs: 200 }), {
      code: 'DEADLINE_EXCEEDED',
    });
  });

  test('with a window that nobody may acknowledge begins again', async (t) => {
    let calls = 0;
    const robot = connected(t, await serve(t, [watch,
      [DeviceService.method.acknowledge, (_call, done) => done({ code: status.NOT_FOUND, details: 'no such call' })],
      [CameraService.method.streamFrames, (call) => {
        calls += 1;
        const { metadata } = call;
        metadata.set('waldo-call', 'x');
        call.sendMetadata(metadata);
        call.write(frame(calls));
      }]]));
    const read = await take(robot.video('front'), 3);
    assert.deepEqual(read.map((f) => f.sequence), [1, 2, 3]);
    await until('it was asked three times', () => calls >= 3);
  });
});
