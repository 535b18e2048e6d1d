import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../', import.meta.url);
const read = (name) => readFileSync(new URL(name, root), 'utf8');
const html = read('index.html');
const modules = ['', 'page/'].flatMap((dir) =>
  readdirSync(new URL(dir || '.', root)).filter((f) => f.endsWith('.js')).map((f) => dir + f));

test('the page preloads all modules, and no others', () => {
  const listed = [...html.matchAll(/modulepreload" href="([^"]+)"/g)].map((m) => m[1]);
  assert.deepEqual(listed.sort(), modules.filter((m) => m !== 'page/main.js').sort());
});

test('the page gets along with its content security policy, and with no other host', () => {
  for (const name of ['index.html', 'style.css', 'icon.svg']) {
    // Names of namespaces are no addresses.
    const text = read(name).replaceAll('http://www.w3.org/2000/svg', '');
    assert.doesNotMatch(text, /https?:\/\/|\bstyle=|\bon[a-z]+=|@import|<style|<script(?! type="module" src=)/, name);
  }
  for (const name of modules) assert.doesNotMatch(read(name), /innerHTML|insertAdjacentHTML|eval\(|new Function|cssText/, name);
});

test('every element the modules ask for is in the page', () => {
  const asked = modules.flatMap((name) => [...read(name).matchAll(/byId\('([^']+)'/g)].map((m) => m[1]));
  for (const id of asked) assert.ok(html.includes(` id="${id}"`), id);
});
