/** What this build is: the package's version, and the commit where the image was given one. */

import { readFileSync } from 'node:fs';

export function buildInfo(environment: Readonly<Record<string, string | undefined>>): {
  readonly version: string;
  readonly commit: string;
} {
  const file = new URL('../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return { version, commit: environment.TIDEMILL_COMMIT || 'unknown' };
}
