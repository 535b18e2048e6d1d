import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const root = fileURLToPath(new URL('../', import.meta.url));

/** The folders, each above those that it may import; `.` is waldo.js. README.md says what they are for. */
const layers = ['base', 'proto', 'link', 'channels', 'media', 'inputs', 'control', 'robot', '.', 'playback', 'page'];

test('modules and types are imported from the same folder, or from one below', () => {
  let imports = 0;
  for (const [above, folder] of layers.entries()) {
    for (const name of readdirSync(path.join(root, folder)).filter((f) => f.endsWith('.js'))) {
      const text = readFileSync(path.join(root, folder, name), 'utf8');
      for (const [, from] of text.matchAll(/(?:from |import\()['"](\.[^'"]+)['"]/g)) {
        const to = path.dirname(path.join(folder, from)).replace(/^proto\/gen\/.*/, 'proto');
        assert.ok(to === folder || layers.includes(to) && layers.indexOf(to) < above, `${folder}/${name} imports ${from}`);
        imports += 1;
      }
    }
  }
  assert.ok(imports > 100, 'they were found');
});

test('no two modules have names that differ only by folder or by a letter s', () => {
  const names = new Map();
  for (const folder of layers) {
    for (const file of readdirSync(path.join(root, folder)).filter((f) => f.endsWith('.js'))) {
      const name = file.replace(/s?\.js$/, '');
      assert.ok(!names.has(name), `${folder}/${file} and ${names.get(name)}`);
      names.set(name, `${folder}/${file}`);
    }
  }
});
