/** @file The package as others install it: what `npm pack` makes, in a folder elsewhere. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DEVICES, folder, startRobot } from './rig.js';

const here = fileURLToPath(new URL('../', import.meta.url));
const web = path.join(here, '../../services/webrtc-gateway/web');
const tool = (name) => path.join(here, 'node_modules/.bin', name);

function exec(cwd, program, args, env = {}) {
  return execFileSync(program, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 2 ** 26 });
}

test('it works where it is installed, in Node, in a page, and in TypeScript', async (t) => {
  const place = folder(t);
  const [{ filename, files }] = JSON.parse(
    exec(here, 'npm', ['pack', '--json', '--silent', '--pack-destination', place]));
  const names = files.map((f) => f.path);
  for (const wanted of [
    'LICENSE', 'README.md', 'package.json', 'dist/web/waldo.js', 'dist/web/waldo.d.ts', 'dist/node/index.js',
    'dist/node/index.d.ts', 'dist/proto/waldo/camera/v1/camera_service.proto',
    'dist/gen/waldo/camera/v1/camera_service_pb.js',
  ]) {
    assert.ok(names.includes(wanted), wanted);
  }
  assert.deepEqual(names.filter((n) => /page\/|tests|rtcbot|node_modules/.test(n)), []);

  writeFileSync(path.join(place, 'package.json'), '{"name": "user", "private": true, "type": "module"}');
  exec(place, 'npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', `./${filename}`]);
  const installed = path.join(place, 'node_modules/waldo-robot');
  const shipped = readdirSync(path.join(installed, 'dist/web'), { recursive: true, encoding: 'utf8' });
  for (const file of shipped.filter((f) => f.endsWith('.js'))) {
    assert.equal(readFileSync(path.join(installed, 'dist/web', file), 'utf8'),
      readFileSync(path.join(web, file), 'utf8'), `${file} is the page's own`);
  }

  await t.test('Node', async (node) => {
    const address = await startRobot(node, { front: DEVICES.front });
    writeFileSync(path.join(place, 'read.mjs'), `import { connect } from 'waldo-robot';
      const robot = connect(process.argv[2]);
      for await (const frame of robot.video('front', { format: 'bgr' })) {
        console.log(frame.width, frame.height, frame.length);
        break;
      }
      await robot.close();`);
    assert.equal(exec(place, process.execPath, ['read.mjs', address]), `320 240 ${320 * 240 * 3}\n`);
  });

  await t.test('a bundle for pages', () => {
    writeFileSync(path.join(place, 'page.js'),
      "import * as waldo from 'waldo-robot';\nglobalThis.robot = [waldo.connect, waldo.Keyboard, waldo.TouchStick];\n");
    exec(place, tool('esbuild'), ['page.js', '--bundle', '--format=esm', '--outfile=bundle.js', '--log-level=error']);
    const bundle = readFileSync(path.join(place, 'bundle.js'), 'utf8');
    assert.match(bundle, /Keyboard = class/);
    assert.doesNotMatch(bundle, /@grpc|@nats-io|from ["']node:/);
  });

  await t.test('types', () => {
    const strict = {
      strict: true, noEmit: true, skipLibCheck: false, target: 'ES2022', module: 'NodeNext', types: ['node'],
      typeRoots: [path.join(here, 'node_modules/@types')],
    };
    const check = (name, options) => {
      writeFileSync(path.join(place, 'tsconfig.json'),
        JSON.stringify({ compilerOptions: { ...strict, ...options }, files: [name] }));
      writeFileSync(path.join(place, name), readFileSync(path.join(here, 'tests/types', name)));
      exec(place, tool('tsc'), ['-p', 'tsconfig.json']);
    };
    check('node.ts', { lib: ['ES2023', 'ESNext.Disposable', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'] });
    check('page.ts', {
      lib: ['ES2023', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'], module: 'ESNext', moduleResolution: 'bundler',
      customConditions: ['browser'], types: [],
    });
  });
});
