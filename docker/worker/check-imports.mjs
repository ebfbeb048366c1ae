// Loads the worker as it will lie in the image, its threads included: a package that the bundle has not taken
// in, and that the image does not have, fails the image's build, and no job.

import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = globSync(['dist/*/*thread*.js', 'dist/shared/worker-process-*.js']);
if (modules.length < 8) throw new Error(`dist holds ${modules.length} of the worker's modules`);
for (const path of modules) await import(pathToFileURL(resolve(path)).href);
process.stdout.write(`${modules.length} modules load\n`);
process.exit(0);
