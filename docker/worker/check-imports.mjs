// Loads every module of dist that is part of the worker, its threads included, and by them every package
// it uses: one that was pruned too far (prune-packages.mjs) fails the image's build, and no job.

import { globSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Modules that act when they are loaded, and those that may need packages of development. */
const NOT_THE_WORKER = /^dist\/(?:main|cli|demo|local)\b/;

const modules = globSync('dist/**/*.js').filter((path) => !NOT_THE_WORKER.test(path));
if (modules.length === 0) throw new Error('dist holds no modules');
for (const path of modules) await import(pathToFileURL(path).href);
process.stdout.write(`${modules.length} modules load\n`);
