/** Requests as files, for a person to look at, change and send. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SampleRequest {
  /** Name of its file, without `.json`. */
  readonly name: string;
  /** What it asks for, in a few words. */
  readonly about: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Writes them into `directory`, which is emptied first; returns their paths in the same order. */
export function writeSamples(directory: string, samples: readonly SampleRequest[]): string[] {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return samples.map(({ name, body }) => {
    const path = join(directory, `${name}.json`);
    writeFileSync(path, `${JSON.stringify(body, null, 2)}\n`);
    return path;
  });
}
