/**
 * @file Builds the package into dist/: what the gateway's page uses, unchanged, the part for Node, the API's
 * definitions, and the types of both, made from their comments.
 */

import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('../', import.meta.url));
const top = path.join(here, '../..');
const web = path.join(top, 'services/webrtc-gateway/web');
const dist = path.join(here, 'dist');

/** What a module imports from beside it; types in comments count. */
const IMPORTS = /(?:from |import\()['"](\.[^'"]+)['"]/g;

rmSync(dist, { recursive: true, force: true });
for (const file of modulesFrom('waldo.js')) copy(path.join(web, file), path.join(dist, 'web', file));
cpSync(path.join(here, 'src'), path.join(dist, 'node'), { recursive: true });
cpSync(path.join(here, 'gen'), path.join(dist, 'gen'), { recursive: true });
cpSync(path.join(web, 'proto/gen'), path.join(dist, 'gen'), { recursive: true });
cpSync(path.join(top, 'api/proto'), path.join(dist, 'proto'), { recursive: true });
copyFileSync(path.join(top, 'LICENSE'), path.join(here, 'LICENSE'));
checkGenerated();
execFileSync(process.execPath, [path.join(here, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.types.json'],
  { cwd: here, stdio: 'inherit' });

/**
 * The page's modules that one of them needs, and itself, as paths in its folder.
 * @param {string} file
 */
function modulesFrom(file, found = new Set([file])) {
  for (const [, from] of readFileSync(path.join(web, file), 'utf8').matchAll(IMPORTS)) {
    const needed = declared(path.join(path.dirname(file), from));
    if (found.has(needed)) continue;
    found.add(needed);
    modulesFrom(needed, found);
  }
  return found;
}

/** @param {string} file A module of types is a declaration only. */
function declared(file) {
  return existsSync(path.join(web, file)) ? file : file.replace(/\.js$/, '.d.ts');
}

/** @param {string} from @param {string} to */
function copy(from, to) {
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** Each generated module has its types beside it, and the other way round. */
function checkGenerated() {
  const names = readdirSync(path.join(dist, 'gen'), { recursive: true, encoding: 'utf8' });
  const [code, types] = ['.js', '.d.ts'].map(
    (end) => names.filter((n) => n.endsWith(end)).map((n) => n.slice(0, -end.length)).sort());
  if (code.join() !== types.join()) throw new Error('gen/ and the types of the page differ: run "make generate"');
}
