// Rewrites package.json to depend on the named packages only, in the ranges it has for them.
// `npm install --package-lock-only` then drops the others from the lock file and keeps the versions.

import { readFileSync, writeFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const ranges = { ...manifest.devDependencies, ...manifest.dependencies };
const dependencies = {};
for (const name of process.argv.slice(2)) {
  if (ranges[name] === undefined) throw new Error(`package.json does not name ${name}`);
  dependencies[name] = ranges[name];
}
const { name, version, type, license } = manifest;
writeFileSync(
  'package.json',
  JSON.stringify({ name, version, type, license, private: true, dependencies }, null, 2),
);
