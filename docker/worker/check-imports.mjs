// Loads every production package, and every module of dist that is part of the worker, so that a package
// that was pruned too far (prune-packages.mjs) fails the image's build and no job.

import { globSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Modules that act when they are loaded, and those that need packages of development. */
const NOT_THE_WORKER = /^dist\/(?:main|cli|demo|local)\b/;

const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const modules = globSync('dist/**/*.js').filter((path) => !NOT_THE_WORKER.test(path));
if (modules.length === 0) throw new Error('dist holds no modules');
for (const name of Object.keys(dependencies)) await import(name);
for (const path of modules) await import(pathToFileURL(path).href);
process.stdout.write(`${Object.keys(dependencies).length} packages and ${modules.length} modules load\n`);
